import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Context } from 'hono';
import { type Answer, bodyHeaders } from './answer.ts';
import type { ApiRequest } from './api-request.ts';
import { type Body, streamOf } from './body.ts';
import { REQUEST_ID_HEADER, VERSION_HEADER } from './header-names.ts';
import { headerOf } from './node-header.ts';
import { onSocketClose } from './socket-close.ts';

/** What `@hono/node-server` passes along with a request; nothing of it is there in a test without a socket. */
interface NodeBindings {
  readonly incoming?: Pick<IncomingMessage, 'url'> & {
    readonly headers?: IncomingMessage['headers'];
    readonly socket?: { readonly remoteAddress?: string };
  };
  readonly outgoing?: ServerResponse;
}

export function requestFrom(c: Context): ApiRequest {
  return nodeRequest(c.env, c.req.raw);
}

/** `env` is what the request came with: the bindings of `@hono/node-server`, or nothing. */
export function nodeRequest(env: unknown, raw: Request): ApiRequest {
  const incoming = isNodeBindings(env) ? env.incoming : undefined;
  const { headers, socket } = incoming ?? {};
  return {
    method: raw.method,
    target: incoming?.url ?? targetOf(raw.url),
    peerAddress: socket?.remoteAddress,
    header: (name) =>
      headers === undefined ? (raw.headers.get(name) ?? undefined) : headerOf(headers, name),
    onGone: (listener) =>
      socket instanceof Socket ? onSocketClose(socket, listener) : onAbort(raw.signal, listener),
  };
}

/**
 * The Web's Headers make every name lower-case, and so would an answer be sent. Names that the API spells otherwise are
 * set on Node's own response, which keeps them.
 */
export function responseFrom(c: Context, answer: Answer, requestId: string): Response {
  const env: unknown = c.env;
  const outgoing = isNodeBindings(env) ? env.outgoing : undefined;
  const headers = { ...bodyHeaders(answer), ...answer.headers };
  const own: [string, string][] = [[REQUEST_ID_HEADER, requestId]];
  if (answer.version !== null) own.push([VERSION_HEADER, String(answer.version)]);
  for (const [name, value] of own) {
    if (outgoing === undefined) headers[name] = value;
    else outgoing.setHeader(name, value);
  }
  const isEmpty = c.req.raw.method === 'HEAD' || answer.length === 0;
  return new Response(isEmpty ? null : responseBody(answer.body), { status: answer.status, headers });
}

function responseBody(body: Body): string | ReadableStream<Uint8Array> {
  return typeof body === 'string' ? body : streamOf(body);
}

function isNodeBindings(env: unknown): env is NodeBindings {
  return typeof env === 'object' && env !== null;
}

/** The part of an absolute URL from its path on. */
function targetOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  return start < 0 ? '/' : url.slice(start);
}

function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) {
    listener();
    return () => undefined;
  }
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
