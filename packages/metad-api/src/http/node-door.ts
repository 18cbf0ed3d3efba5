import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ReplyDoor } from '../read/metadata-handler.ts';
import type { EventSink } from '../stream/event-sink.ts';
import { type Answer, wireFormOf } from './answer.ts';
import type { ApiRequest } from './api-request.ts';
import { sendPieces } from './body.ts';
import { dropRest } from './drop-rest.ts';
import { endWith } from './end-with.ts';
import { REQUEST_ID_HEADER } from './header-names.ts';
import { headerOf } from './node-header.ts';
import { type BodySource, nodeBody } from './read-body.ts';
import { onSocketClose } from './socket-close.ts';

/**
 * An API as a listener of `node:http`, without a Request, a Response and Headers for each request: they cost more than
 * most reads, and as much as a write.
 */
export function createNodeListener(handle: (request: ApiRequest, door: ReplyDoor) => void): RequestListener {
  return (incoming, outgoing) => handle(new NodeRequest(incoming), new NodeReply(incoming, outgoing));
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

  get body(): BodySource {
    return nodeBody(this.#incoming);
  }

  header(name: string): string | undefined {
    return headerOf(this.#incoming.headers, name);
  }

  onGone(listener: () => void): () => void {
    return onSocketClose(this.#incoming.socket, listener);
  }
}

class NodeReply implements ReplyDoor {
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  answer(answer: Answer, requestId: string): void {
    const { method } = this.#incoming;
    const { fields, body } = wireFormOf(answer);
    // A flat list: Node walks through it as it is, an object it would have to take apart.
    this.#outgoing.writeHead(answer.status, [...fields, REQUEST_ID_HEADER, requestId]);
    if (method === 'HEAD') this.#outgoing.end();
    else if (typeof body === 'string' || Buffer.isBuffer(body)) endWith(this.#outgoing, body);
    else sendPieces(this.#outgoing, body);
    if (method !== 'GET' && method !== 'HEAD' && !this.#incoming.complete) dropRest(this.#incoming);
  }

  open(opening: readonly string[], requestId: string): EventSink {
    this.#outgoing.writeHead(200, [...opening, REQUEST_ID_HEADER, requestId]);
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
