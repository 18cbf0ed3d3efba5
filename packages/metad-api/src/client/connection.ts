import { setMaxListeners } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { type Backoff, pauseAfterMs } from './backoff.ts';
import { type ExchangeLimits, exchange, type NoAnswer, type NodeAnswer, type Outgoing } from './exchange.ts';
import { MetadError } from './metad-error.ts';
import { NodeRing, type RingNode } from './node-ring.ts';

/** What both clients take. */
export interface ConnectionOptions {
  /**
   * Where the nodes are, such as `http://10.0.0.1:8080`; a path in front of everything may follow. One is asked until
   * it fails, then the next is.
   */
  readonly endpoints: readonly string[];
  /** Which node is asked at first. Default `random`, so that many clients with one list spread over it. */
  readonly startAt?: 'random' | 'first' | undefined;
  /** How long a whole call may take with all its attempts. */
  readonly timeoutMs?: number | undefined;
  /** How long one node may take to answer before the next one is asked; held requests have their time added. */
  readonly attemptTimeoutMs?: number | undefined;
  /** How long a node may take to be connected to before the next one is asked. Default 3 seconds. */
  readonly connectTimeoutMs?: number | undefined;
  /** A longer answer is refused. Default 64 MiB. */
  readonly maxResponseBytes?: number | undefined;
  /** The pause after every node has failed once; it doubles up to `maxBackoffMs`. Default 200 ms. */
  readonly firstBackoffMs?: number | undefined;
  /** Default 5 seconds. */
  readonly maxBackoffMs?: number | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** For `https` endpoints: whom to trust, and who this client is. */
  readonly tls?: Pick<https.AgentOptions, 'ca' | 'cert' | 'key' | 'servername'> | undefined;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 3000;
const DEFAULT_MAX_RESPONSE_BYTES = 64 * 1024 * 1024;
const DEFAULT_FIRST_BACKOFF_MS = 200;
const DEFAULT_MAX_BACKOFF_MS = 5000;
/** Connections without a request that are kept for the next one. */
const MAX_IDLE_CONNECTIONS = 8;
/** However long a node asks to be left alone, it is asked again after this time. */
const MAX_RETRY_AFTER_MS = 30_000;

export interface Attempt {
  readonly node: RingNode;
  readonly result: NodeAnswer | NoAnswer;
}

/** The connections of one client to the nodes, and which of them is asked next. */
export class Connection {
  readonly #ring: NodeRing;
  readonly #limits: ExchangeLimits;
  readonly #backoff: Backoff;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #plain = new http.Agent({ keepAlive: true, maxFreeSockets: MAX_IDLE_CONNECTIONS });
  readonly #encrypted: https.Agent;
  readonly #closing = new AbortController();
  /** The newest version that an answer has shown. */
  #version = 0;

  constructor(options: ConnectionOptions) {
    this.#ring = new NodeRing(options.endpoints, options.startAt ?? 'random');
    this.#limits = {
      connectTimeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      maxResponseBytes: options.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES,
    };
    this.#backoff = {
      firstMs: options.firstBackoffMs ?? DEFAULT_FIRST_BACKOFF_MS,
      maxMs: options.maxBackoffMs ?? DEFAULT_MAX_BACKOFF_MS,
    };
    this.#headers = options.headers ?? {};
    this.#encrypted = new https.Agent({
      keepAlive: true,
      maxFreeSockets: MAX_IDLE_CONNECTIONS,
      ...options.tls,
    });
    expectManyListeners(this.closed);
  }

  /** Aborted when the client is closed. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  get version(): number {
    return this.#version;
  }

  noteVersion(version: number): void {
    this.#version = Math.max(this.#version, version);
  }

  /** Sends one request to the node whose turn it is. Rejects only with the reason of an aborted signal. */
  async ask(outgoing: Outgoing, signal: AbortSignal | undefined): Promise<Attempt> {
    const node = this.#ring.next(performance.now());
    const options = { limits: this.#limits, signals: this.signals(signal) };
    if (signal !== undefined) expectManyListeners(signal);
    const request = {
      ...outgoing,
      target: node.url.pathname.replace(/\/$/, '') + outgoing.target,
      headers: { ...this.#headers, ...outgoing.headers },
    };
    const agent = node.url.protocol === 'https:' ? this.#encrypted : this.#plain;
    return { node, result: await exchange(agent, node.url, request, options) };
  }

  /** The node has failed, or asks to be left alone for a time: another one is asked next. */
  moveOn({ node, result }: Attempt): void {
    const nowMs = performance.now();
    const waitMs = result.type === 'answer' ? retryAfterMs(result.headers['retry-after']) : 0;
    this.#ring.moveOn(node, { nowMs, notBeforeMs: waitMs === 0 ? 0 : nowMs + waitMs });
  }

  /** How long to pause after this many failures in a row. */
  pauseMs(failures: number): number {
    const nowMs = performance.now();
    const backoffMs = pauseAfterMs(failures, this.#ring.size, this.#backoff);
    return Math.max(backoffMs, this.#ring.next(nowMs).notBeforeMs - nowMs);
  }

  signals(signal: AbortSignal | undefined): AbortSignal[] {
    return signal === undefined ? [this.closed] : [signal, this.closed];
  }

  /** Ends every call and every connection. */
  close(): void {
    this.#closing.abort(new MetadError('unavailable', 'the client is closed'));
    this.#plain.destroy();
    this.#encrypted.destroy();
  }
}

/** One signal may end as many calls as the program likes; Node would warn of a leak at the eleventh. */
function expectManyListeners(signal: AbortSignal): void {
  setMaxListeners(Number.MAX_SAFE_INTEGER, signal);
}

/** Seconds only: metad sends no dates. */
function retryAfterMs(header: string | undefined): number {
  const seconds = header !== undefined && /^\d{1,9}$/.test(header) ? Number(header) : 0;
  return Math.min(seconds * 1000, MAX_RETRY_AFTER_MS);
}
