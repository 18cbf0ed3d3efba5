import { Hono } from 'hono';
import { type Answer, failureAnswer } from '../http/answer.ts';
import { requestFrom, responseFrom } from '../http/hono-door.ts';
import { negotiate } from '../http/negotiate.ts';
import type { Observer } from '../http/observer.ts';
import { type MetadataApi, metadataRoute } from './metadata-api.ts';

/** The metadata API as a Hono app: every path is data, so there is nothing to route. */
export function createMetadataApp(api: MetadataApi, observer: Observer): Hono {
  const app = new Hono({ getPath: () => '/' });
  app.all('/', (c): Response | Promise<Response> => {
    const request = requestFrom(c);
    const exchange = observer.begin('metadata', request.method);
    const respond = (answer: Answer): Response => {
      exchange.end(metadataRoute(request.target), answer.status);
      return responseFrom(c, answer, exchange.requestId);
    };
    const fail = (error: unknown): Response => {
      exchange.fail(error);
      return respond(failureAnswer({ format: negotiate(request.header('accept')), pretty: false }));
    };
    try {
      const answer = api.handle(request);
      return answer instanceof Promise ? answer.then(respond).catch(fail) : respond(answer);
    } catch (error) {
      return fail(error);
    }
  });
  return app;
}
