import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { MetadataHandler, ReplyDoor } from '../read/metadata-handler.ts';
import type { EventSink } from '../stream/event-sink.ts';
import { type Answer, wireFormOf } from './answer.ts';
import type { ApiRequest } from './api-request.ts';
import { REQUEST_ID_HEADER } from './header-names.ts';
import { headerOf } from './node-header.ts';
import { onSocketClose } from './socket-close.ts';

/**
 * The metadata API as a listener of `node:http`, without a Request, a Response and Headers for each request. Reads of
 * virtual machines are nearly all of a node's load.
 */
export function createNodeListener(handle: MetadataHandler): RequestListener {
  return (incoming, outgoing) => {
    const request = new NodeRequest(incoming);
    handle(request, new NodeDoor(outgoing, { withBody: request.method !== 'HEAD' }));
  };
}

class NodeRequest implements ApiRequest {
  readonly method: string;
  readonly target: string;
  readonly #incoming: IncomingMessage;

  constructor(incoming: IncomingMessage) {
    this.method = incoming.method ?? 'GET';
    this.target = incoming.url ?? '/';
    this.#incoming = incoming;
  }

  get peerAddress(): string | undefined {
    return this.#incoming.socket.remoteAddress;
  }

  header(name: string): string | undefined {
    return headerOf(this.#incoming.headers, name);
  }

  onGone(listener: () => void): () => void {
    return onSocketClose(this.#incoming.socket, listener);
  }
}

class NodeDoor implements ReplyDoor {
  readonly #outgoing: ServerResponse;
  readonly #withBody: boolean;

  constructor(outgoing: ServerResponse, options: { readonly withBody: boolean }) {
    this.#outgoing = outgoing;
    this.#withBody = options.withBody;
  }

  answer(answer: Answer, requestId: string): void {
    const { fields, body } = wireFormOf(answer);
    // A flat list: Node walks through it as it is, an object it would have to take apart.
    this.#outgoing.writeHead(answer.status, [...fields, REQUEST_ID_HEADER, requestId]);
    this.#outgoing.end(this.#withBody ? body : undefined);
  }

  open(fields: readonly string[], requestId: string): EventSink {
    this.#outgoing.writeHead(200, [...fields, REQUEST_ID_HEADER, requestId]);
    return new NodeSink(this.#outgoing);
  }
}

class NodeSink implements EventSink {
  readonly #outgoing: ServerResponse;

  constructor(outgoing: ServerResponse) {
    this.#outgoing = outgoing;
  }

  write(chunk: string | Buffer): boolean {
    return this.#outgoing.write(chunk);
  }

  onceWritable(listener: () => void): void {
    this.#outgoing.once('drain', listener);
  }

  end(): void {
    this.#outgoing.end();
  }

  destroy(): void {
    this.#outgoing.destroy();
  }
}
