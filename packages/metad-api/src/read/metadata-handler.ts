import { type Answer, failureAnswer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { negotiate } from '../http/negotiate.ts';
import type { Observer } from '../http/observer.ts';
import type { EventSink } from '../stream/event-sink.ts';
import { EventStream } from '../stream/event-stream.ts';
import { type MetadataApi, metadataRoute, type Reply } from './metadata-api.ts';

/** The way back to who sent a request. One of the two is called, once. */
export interface ReplyDoor {
  answer(answer: Answer, requestId: string): void;
  /** Sends status 200 with these fields, names and values by turns; the events follow. */
  open(fields: readonly string[], requestId: string): EventSink;
}

/** The metadata API, whatever carries its requests. Never throws. */
export type MetadataHandler = (request: ApiRequest, door: ReplyDoor) => void;

export function createMetadataHandler(api: MetadataApi, observer: Observer): MetadataHandler {
  return (request, door) => {
    const exchange = observer.begin('metadata', request.method);
    const answer = (one: Answer): void => {
      exchange.end(metadataRoute(request.target), one.status);
      door.answer(one, exchange.requestId);
    };
    const fail = (error: unknown): void => {
      exchange.fail(error);
      answer(failureAnswer({ format: negotiate(request.header('accept')), pretty: false }));
    };
    const reply = (one: Reply): void => {
      if (!(one instanceof EventStream)) answer(one);
      else {
        const sink = door.open(one.fields, exchange.requestId);
        one.run(sink).then(
          () => exchange.end(STREAM_ROUTE, 200),
          (error: unknown) => {
            exchange.fail(error);
            exchange.end(STREAM_ROUTE, 500);
            sink.destroy();
          },
        );
      }
    };
    try {
      const one = api.handle(request);
      if (one instanceof Promise) one.then(reply).catch(fail);
      else reply(one);
    } catch (error) {
      fail(error);
    }
  };
}

/** A label for what is measured by route: a stream counts when it ends, with the time that it was open. */
const STREAM_ROUTE = 'stream';
