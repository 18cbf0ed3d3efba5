import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { BodyText, createPortGuard, endWith, inviteBody } from '@metad/metad-api';
import { textRequest } from './json-request.ts';
import { addressOf } from './peer-address.ts';
import { answerWrite, type Fields, type WriteDeps } from './write-answer.ts';

export interface WriteDoorDeps extends WriteDeps {
  readonly clusterToken: string | null;
  /** A bug or a fault that a request ran into; the client is not told more than that. */
  readonly onError: (error: unknown) => void;
}

/**
 * Takes `POST /write` from `node:http` as it is, without the Request, Response and Headers that a Web framework makes
 * for each: they cost as much as the write itself. Whatever is not plain, refusals included, goes the other way, where
 * the same `answerWrite` carries it out.
 */
export function createWriteDoor(deps: WriteDoorDeps, otherwise: RequestListener): RequestListener {
  const findProblem = createPortGuard(deps.clusterToken, 'cluster');
  const isPlain = (incoming: IncomingMessage) => {
    const { method, url, headers } = incoming;
    if (method !== 'POST' || url !== '/write') return false;
    const length = Number(headers['content-length'] ?? Number.NaN);
    if (!(length <= deps.limits.maxBodyBytes)) return false;
    return findProblem({ header: (name) => textOfHeader(headers, name) }) === null;
  };
  return (incoming, outgoing) => {
    if (isPlain(incoming)) takeWrite(incoming, outgoing, deps);
    else otherwise(incoming, outgoing);
  };
}

function takeWrite(incoming: IncomingMessage, outgoing: ServerResponse, deps: WriteDoorDeps): void {
  const startedAt = performance.now();
  const text = new BodyText();
  // Node cuts a body at its announced length. One that breaks off never ends, and has nobody left to answer.
  incoming.on('data', (chunk: Buffer) => text.add(chunk));
  inviteBody(incoming);
  incoming.on('end', () => {
    const author = addressOf(incoming.socket.remoteAddress);
    const key = textOfHeader(incoming.headers, 'idempotency-key');
    const body = textRequest(text.end());
    answerWrite({ body, author, key, startedAt }, deps).then(
      (answer) => write(outgoing, answer),
      (error: unknown) => {
        deps.onError(error);
        write(outgoing, { status: 500, fields: [], body: INTERNAL_ERROR });
      },
    );
  });
}

const INTERNAL_ERROR = '{"err":{"code":500,"message":"internal error"}}';

function textOfHeader(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

interface PlainAnswer {
  readonly status: number;
  readonly fields: Fields;
  /** ASCII. */
  readonly body: string;
}

function write(outgoing: ServerResponse, { status, fields, body }: PlainAnswer): void {
  // A flat list: Node walks through it as it is, an object it would have to take apart.
  const own = ['Content-Type', 'application/json', 'Content-Length', String(body.length)];
  outgoing.writeHead(status, [...own, ...fields]);
  endWith(outgoing, body);
}
