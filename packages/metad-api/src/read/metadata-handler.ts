import { type Answer, failureAnswer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { negotiate } from '../http/negotiate.ts';
import type { Exchange, Observer } from '../http/observer.ts';
import type { EventSink } from '../stream/event-sink.ts';
import { EventStream } from '../stream/event-stream.ts';
import { type AnswerDoor, HeldRead } from './held-read.ts';
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
    const asked = new Asked(request, door, observer.begin('metadata', request.method));
    try {
      const reply = api.handle(request);
      if (reply instanceof Promise) reply.then((one) => asked.reply(one)).catch((error) => asked.fail(error));
      else asked.reply(reply);
    } catch (error) {
      asked.fail(error);
    }
  };
}

/** A label for what is measured by route: a stream counts when it ends, with the time that it was open. */
const STREAM_ROUTE = 'stream';

/** One request, until it is answered. */
class Asked implements AnswerDoor {
  readonly #request: ApiRequest;
  readonly #door: ReplyDoor;
  readonly #exchange: Exchange;
  /** Null: not looked up yet. */
  #route: string | null = null;

  constructor(request: ApiRequest, door: ReplyDoor, exchange: Exchange) {
    this.#request = request;
    this.#door = door;
    this.#exchange = exchange;
  }

  reply(reply: Reply): void {
    if (reply instanceof EventStream) this.#stream(reply);
    else if (reply instanceof HeldRead) this.#hold(reply);
    else this.answer(reply);
  }

  answer(answer: Answer): void {
    this.#exchange.end(this.#route ?? metadataRoute(this.#request.target), answer.status);
    this.#door.answer(answer, this.#exchange.requestId);
  }

  fail(error: unknown): void {
    this.#exchange.fail(error);
    this.answer(failureAnswer({ format: negotiate(this.#request.header('accept')), pretty: false }));
  }

  /** What can be done while nobody waits is done now: a change may release thousands. */
  #hold(read: HeldRead): void {
    this.#route = metadataRoute(this.#request.target);
    read.begin(this);
  }

  #stream(stream: EventStream): void {
    const sink = this.#door.open(stream.fields, this.#exchange.requestId);
    stream.run(sink).then(
      () => this.#exchange.end(STREAM_ROUTE, 200),
      (error: unknown) => {
        this.#exchange.fail(error);
        this.#exchange.end(STREAM_ROUTE, 500);
        sink.destroy();
      },
    );
  }
}
