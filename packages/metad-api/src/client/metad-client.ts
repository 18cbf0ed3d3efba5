import { type CallOptions, call } from './call.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import type { MetadataState } from './metadata-value.ts';
import { judgeState } from './state-answer.ts';
import { targetOf } from './target.ts';
import { type WatchOptions, watch } from './watch.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
/** Longer than a node takes to catch up with a version that it does not have yet. */
const DEFAULT_ATTEMPT_TIMEOUT_MS = 8000;

export interface ReadOptions extends CallOptions {
  /**
   * `local` (default): what the asked node has applied, which needs no quorum. `linearizable`: at least everything that
   * was acknowledged anywhere before the call.
   */
  readonly consistency?: 'local' | 'linearizable' | undefined;
  /** Nothing older than this version, such as that of a write. What this client has seen counts in any case. */
  readonly minVersion?: number | undefined;
}

/**
 * Reads and watches the metadata API of a cluster. Every answer is at least as new as the one before it, whichever node
 * gave it. For another beginning of time, such as that of a cluster that was made anew with empty data, take a new client.
 */
export class MetadClient {
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #attemptTimeoutMs: number;

  /** Throws a TypeError when an endpoint is no URL. */
  constructor(options: ConnectionOptions) {
    this.#connection = new Connection(options);
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#attemptTimeoutMs = options.attemptTimeoutMs ?? DEFAULT_ATTEMPT_TIMEOUT_MS;
  }

  /** The newest version that any answer has shown; 0 before the first. */
  get version(): number {
    return this.#connection.version;
  }

  /**
   * What stands at a path and may be seen by this client. Rejects with a `MetadError` of the kind `invalid` or
   * `unavailable`.
   */
  async get(path: string, options: ReadOptions = {}): Promise<MetadataState> {
    const { consistency, minVersion: asked = 0, signal } = options;
    const target = targetOf('', path, { consistency });
    const minVersion = Math.max(this.version, asked);
    const state = await call(this.#connection, {
      outgoing: {
        method: 'GET',
        target,
        headers: jsonFrom(minVersion),
        timeLimitMs: this.#attemptTimeoutMs,
      },
      isWrite: false,
      timeoutMs: options.timeoutMs ?? this.#timeoutMs,
      signal,
      judge: (answer) => judgeState(answer, minVersion),
    });
    this.#connection.noteVersion(state.version);
    return state;
  }

  /** What the mapping of this client's address shows, or what stands below it at `path`. */
  self(path = '/', options: ReadOptions = {}): Promise<MetadataState> {
    return this.get(`/self/${path}`, options);
  }

  /**
   * The present state of a path (`/self` and what is below it included), then each new one, for as long as the loop goes
   * on. It outlives nodes: nothing but a request that makes no sense (a `MetadError` of the kind `invalid`) ends it from
   * the other side. A state never comes twice in a row, and none after a newer one. States that follow each other
   * faster than they are taken are left out, the last one never. It ends without an error as soon as the signal is
   * aborted or the client closed.
   */
  watch(path: string, options: WatchOptions = {}): AsyncGenerator<MetadataState, void, undefined> {
    return watch(this.#connection, path, { attemptTimeoutMs: this.#attemptTimeoutMs, ...options });
  }

  /** Ends every call and watch, and every connection. */
  close(): void {
    this.#connection.close();
  }
}

/** The header has a node that is behind catch up before it answers. */
function jsonFrom(minVersion: number): Record<string, string> {
  const accept = { accept: 'application/json' };
  return minVersion === 0 ? accept : { ...accept, 'x-metad-version': String(minVersion) };
}
