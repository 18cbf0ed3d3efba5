import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type MetadataApi, metadataRoute } from '../read/metadata-api.ts';
import { type Answer, bodyHeaders, failureAnswer } from './answer.ts';
import type { ApiRequest } from './api-request.ts';
import { REQUEST_ID_HEADER, VERSION_HEADER } from './header-names.ts';
import { negotiate } from './negotiate.ts';
import { headerOf } from './node-header.ts';
import type { Observer } from './observer.ts';
import { onSocketClose } from './socket-close.ts';

/**
 * The metadata API as a listener of `node:http`: the same answers as its Hono app, without a Request, a Response and
 * Headers for each. Reads of virtual machines are nearly all of a node's load.
 */
export function createMetadataListener(api: MetadataApi, observer: Observer): RequestListener {
  return (incoming, outgoing) => {
    const request = new NodeRequest(incoming);
    const exchange = observer.begin('metadata', request.method);
    const send = (answer: Answer): void => {
      exchange.end(metadataRoute(request.target), answer.status);
      writeAnswer(outgoing, answer, { requestId: exchange.requestId, withBody: request.method !== 'HEAD' });
    };
    const fail = (error: unknown): void => {
      exchange.fail(error);
      const format = negotiate(request.header('accept'));
      send(failureAnswer({ format, pretty: false }));
    };
    try {
      const answer = api.handle(request);
      if (answer instanceof Promise) answer.then(send).catch(fail);
      else send(answer);
    } catch (error) {
      fail(error);
    }
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

function writeAnswer(
  outgoing: ServerResponse,
  answer: Answer,
  options: { readonly requestId: string; readonly withBody: boolean },
): void {
  const headers = bodyHeaders(answer);
  headers[REQUEST_ID_HEADER] = options.requestId;
  if (answer.version !== null) headers[VERSION_HEADER] = String(answer.version);
  outgoing.writeHead(
    answer.status,
    answer.headers === undefined ? headers : { ...headers, ...answer.headers },
  );
  outgoing.end(options.withBody ? answer.body : undefined);
}
