import { Hono } from 'hono';
import type { Answer } from './answer.ts';
import { requestFrom, responseFrom } from './hono-door.ts';
import { type MetadataApi, metadataRoute } from './metadata-api.ts';
import type { Observer } from './observer.ts';

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
    const answer = api.handle(request);
    return answer instanceof Promise ? answer.then(respond) : respond(answer);
  });
  return app;
}
