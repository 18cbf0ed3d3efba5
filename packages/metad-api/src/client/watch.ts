import { done, type Judgement, unusable, versionOf } from './answer.ts';
import { pause } from './backoff.ts';
import { isIdleClose } from './call.ts';
import type { Attempt, Connection } from './connection.ts';
import type { Outgoing } from './exchange.ts';
import type { MetadataState } from './metadata-value.ts';
import { judgeState } from './state-answer.ts';
import { targetOf } from './target.ts';

export interface WatchOptions {
  /** Ends the watch at once: no request stays behind. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The version of a state that an earlier watch has given: only what has changed since then comes. Where no node can
   * tell any more, the present state comes although it may be the same.
   */
  readonly since?: number | undefined;
  /** Of the first state, when there is no `since`. Default `local`: a machine can start without a quorum. */
  readonly consistency?: 'local' | 'linearizable' | undefined;
  /** How long a node holds a request in which nothing happens, at most 600. A node that hangs is left after it. */
  readonly waitSeconds?: number | undefined;
  /** Spreads the answers to one change over this time, so that a herd of watchers does not come all at once. */
  readonly jitterSeconds?: number | undefined;
  /** Hears of each failure that the watch gets over. */
  readonly onFailure?: ((failure: WatchFailure) => void) | undefined;
}

export interface WatchFailure {
  readonly endpoint: string;
  readonly reason: string;
  /** When the next attempt is made. */
  readonly retryMs: number;
}

const DEFAULT_WAIT_SECONDS = 30;
/** A node that tells nothing new sooner than this does not hold requests: it must not be asked in a tight loop. */
const SHORT_HOLD_MS = 500;

/** See `MetadClient.watch`. */
export async function* watch(
  connection: Connection,
  path: string,
  options: WatchOptions & { readonly attemptTimeoutMs: number },
): AsyncGenerator<MetadataState, void, undefined> {
  const follower = new Follower(connection, path, options);
  try {
    for (;;) yield await follower.next();
  } catch (error) {
    const ending = connection
      .signals(options.signal)
      .some((signal) => signal.aborted && error === signal.reason);
    if (!ending) throw error;
  }
}

/** The path shows what it did at the version that was named. */
interface Unchanged {
  readonly unchanged: true;
  readonly version: number;
}

class Follower {
  readonly #connection: Connection;
  readonly #path: string;
  readonly #options: WatchOptions & { readonly attemptTimeoutMs: number };
  /** The version up to which the state is known; null before the first answer. */
  #version: number | null;
  /** The state as it was sent, which nobody changes: null when it was none, undefined when it is not known. */
  #text: string | null | undefined;
  #failures = 0;
  /** Answers in a row that came soon and told nothing new. */
  #idle = 0;

  constructor(
    connection: Connection,
    path: string,
    options: WatchOptions & { readonly attemptTimeoutMs: number },
  ) {
    this.#connection = connection;
    this.#path = path;
    this.#options = options;
    this.#version = options.since ?? null;
  }

  /** The next state that differs from the one before it. Rejects with the reason of an aborted signal. */
  async next(): Promise<MetadataState> {
    for (;;) {
      const askedMs = performance.now();
      const minVersion = Math.max(this.#connection.version, this.#version ?? 0);
      const attempt = await this.#connection.ask(this.#request(minVersion), this.#options.signal);
      const judgement = judge(attempt, minVersion);
      if (judgement.type === 'refused') throw judgement.error;
      if (judgement.type === 'failed') {
        await this.#recover(attempt, judgement.reason);
        continue;
      }
      this.#failures = 0;
      const news = this.#take(judgement.value, attempt);
      if (news !== null) {
        this.#idle = 0;
        return news;
      }
      const isHolding = performance.now() - askedMs >= SHORT_HOLD_MS;
      this.#idle = isHolding ? 0 : this.#idle + 1;
      if (!isHolding) await this.#pause(this.#connection.pauseMs(this.#idle));
    }
  }

  #request(minVersion: number): Outgoing {
    const {
      consistency,
      waitSeconds = DEFAULT_WAIT_SECONDS,
      jitterSeconds,
      attemptTimeoutMs,
    } = this.#options;
    const headers = { accept: 'application/json', 'x-metad-version': String(minVersion) };
    if (this.#version === null) {
      const target = targetOf('', this.#path, { consistency });
      return { method: 'GET', target, headers, timeLimitMs: attemptTimeoutMs };
    }
    // Of an empty cluster's version 0 a node can't tell what came after it, so nothing but looking again helps.
    const timeout = this.#version === 0 ? 1 : waitSeconds;
    const query = { wait: 'true', prev_version: this.#version, timeout, jitter: jitterSeconds };
    const heldMs = (timeout + (jitterSeconds ?? 0)) * 1000;
    return {
      method: 'GET',
      target: targetOf('', this.#path, query),
      // A time-out need not repeat what is known.
      headers: { ...headers, 'if-none-match': `"${this.#version}.json"` },
      timeLimitMs: heldMs + attemptTimeoutMs,
    };
  }

  /** Takes an answer for the present state; gives it when it is another one than before. */
  #take(seen: MetadataState | Unchanged, { result }: Attempt): MetadataState | null {
    this.#connection.noteVersion(seen.version);
    const isNewer = this.#version === null || seen.version > this.#version;
    if (isNewer) this.#version = seen.version;
    if ('unchanged' in seen) return null;
    const text = seen.found && result.type === 'answer' ? result.text : null;
    if (!isNewer) {
      // What was seen before this watch began.
      if (this.#text === undefined) this.#text = text;
      return null;
    }
    // A time-out is answered with the present state, and a node that can't know what has changed answers too early.
    if (text === this.#text) return null;
    this.#text = text;
    return seen;
  }

  async #recover(attempt: Attempt, reason: string): Promise<void> {
    if (isIdleClose(attempt)) return;
    this.#failures += 1;
    this.#connection.moveOn(attempt);
    const retryMs = Math.round(this.#connection.pauseMs(this.#failures));
    this.#options.onFailure?.({ endpoint: attempt.node.url.href, reason, retryMs });
    await this.#pause(retryMs);
  }

  #pause(ms: number): Promise<void> {
    return pause(ms, this.#connection.signals(this.#options.signal));
  }
}

function judge({ result }: Attempt, minVersion: number): Judgement<MetadataState | Unchanged> {
  if (result.type === 'failed') return { type: 'failed', reason: result.reason, mayHaveApplied: false };
  if (result.status !== 304) return judgeState(result, minVersion);
  const version = versionOf(result);
  return version === null || version < minVersion
    ? unusable('answered 304 for another state than the one that was named')
    : done({ unchanged: true, version });
}
