import http from 'node:http';
import https from 'node:https';
import { TLSSocket } from 'node:tls';

/** One request to one node. */
export interface Outgoing {
  readonly method: string;
  /** Path and query as they stand on the request line. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Until the last byte of the answer. */
  readonly timeLimitMs: number;
}

export interface ExchangeLimits {
  readonly connectTimeoutMs: number;
  readonly maxResponseBytes: number;
}

export interface NodeAnswer {
  readonly type: 'answer';
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

/** There is no whole answer. */
export interface NoAnswer {
  readonly type: 'failed';
  readonly reason: string;
  readonly cause: unknown;
  /** Whether the node may have taken the request up all the same. */
  readonly mayHaveArrived: boolean;
  /** Whether the node had closed a kept connection just as it was used again, which says nothing about the node. */
  readonly wasKeptConnection: boolean;
}

/** Why a request to a node was ended by this side. */
class ExchangeError extends Error {}

/** What ends the exchange early: each is watched as long as it runs and no longer. */
export type Signals = readonly AbortSignal[];

/**
 * Sends a request and takes in the whole answer. Every failure of the network or of the node is a result; rejects only
 * with the reason of a signal that was aborted, and then the connection is gone.
 */
export function exchange(
  agent: http.Agent,
  node: URL,
  outgoing: Outgoing,
  options: { readonly limits: ExchangeLimits; readonly signals: Signals },
): Promise<NodeAnswer | NoAnswer> {
  const { limits, signals } = options;
  const aborted = signals.find((signal) => signal.aborted);
  if (aborted !== undefined) return Promise.reject(aborted.reason);
  const request = open(agent, node, outgoing);
  const ended = new AbortController();
  const startedMs = performance.now();
  let isConnected = false;
  const endLate = (limitMs: number, what: string): NodeJS.Timeout =>
    setTimeout(() => request.destroy(new ExchangeError(`${what} within ${Math.round(limitMs)} ms`)), limitMs);
  let timer = endLate(Math.min(limits.connectTimeoutMs, outgoing.timeLimitMs), 'no connection');
  const connected = (): void => {
    isConnected = true;
    clearTimeout(timer);
    const leftMs = outgoing.timeLimitMs - (performance.now() - startedMs);
    timer = endLate(Math.max(leftMs, 1), 'no whole answer');
  };
  return new Promise<NodeAnswer | NoAnswer>((resolve, reject) => {
    for (const signal of signals) {
      const abort = (): void => {
        reject(signal.reason);
        request.destroy();
      };
      signal.addEventListener('abort', abort, { once: true, signal: ended.signal });
    }
    request.on('socket', (socket) => {
      if (request.reusedSocket) connected();
      else socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', connected);
    });
    request.on('error', (cause) =>
      resolve({
        type: 'failed',
        reason: reasonOf(cause),
        cause,
        mayHaveArrived: isConnected,
        wasKeptConnection: request.reusedSocket && codeOf(cause) === 'ECONNRESET',
      }),
    );
    request.on('response', (incoming) => {
      collect(incoming, limits.maxResponseBytes).then(resolve, (cause: unknown) => {
        request.destroy();
        const reason = `the answer was cut: ${reasonOf(cause)}`;
        resolve({ type: 'failed', reason, cause, mayHaveArrived: true, wasKeptConnection: false });
      });
    });
    request.end(outgoing.body);
  }).finally(() => {
    clearTimeout(timer);
    ended.abort();
  });
}

function open(agent: http.Agent, node: URL, { method, target, headers, body }: Outgoing): http.ClientRequest {
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const options = { agent, method, path: target, headers: { ...headers, ...length } };
  return node.protocol === 'https:' ? https.request(node, options) : http.request(node, options);
}

async function collect(incoming: http.IncomingMessage, maxBytes: number): Promise<NodeAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new ExchangeError(`it is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  return { type: 'answer', status: incoming.statusCode ?? 0, headers: incoming.headers, text };
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // Of several addresses of a name that can't be reached, Node reports all at once and without words.
  return cause.message || codeOf(cause) || cause.name;
}

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
}
