import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { MetadataHandler } from '../read/metadata-handler.ts';
import type { EventSink } from '../stream/event-sink.ts';
import { type Answer, wireFormOf } from './answer.ts';
import type { ApiRequest } from './api-request.ts';
import { sendPieces } from './body.ts';
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
    const withBody = request.method !== 'HEAD';
    handle(request, {
      answer: (answer, requestId) => writeAnswer(outgoing, answer, { requestId, withBody }),
      open(opening, requestId) {
        outgoing.writeHead(200, [...opening, REQUEST_ID_HEADER, requestId]);
        return new NodeSink(outgoing);
      },
    });
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

function writeAnswer(
  outgoing: ServerResponse,
  answer: Answer,
  options: { readonly requestId: string; readonly withBody: boolean },
): void {
  const { fields, body } = wireFormOf(answer);
  // A flat list: Node walks through it as it is, an object it would have to take apart.
  outgoing.writeHead(answer.status, [...fields, REQUEST_ID_HEADER, options.requestId]);
  if (!options.withBody) outgoing.end();
  else if (typeof body === 'string' || Buffer.isBuffer(body)) outgoing.end(body);
  else sendPieces(outgoing, body);
}
