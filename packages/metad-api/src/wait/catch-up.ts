import type { Version } from '@metad/kv-store';
import type { ChangeFeed } from './change-feed.ts';
import { type Clock, Deadlines, type Timed } from './deadlines.ts';
import { type HeldRequestLimits, HeldRequests } from './held-requests.ts';

interface Pending extends Timed {
  readonly version: Version;
  readonly settle: (outcome: CatchUpOutcome) => void;
}

/** `behind`: this node has not come to that version in time, or too many wait for it, or the client has gone. */
export type CatchUpOutcome = 'reached' | 'behind' | 'stopped';

/** Who waits. */
export interface CatchUpClient {
  /** Its address, or that of its connection: as many may wait as the limits say. */
  readonly address: string;
  onGone(listener: () => void): () => void;
}

/** Lets requests wait for a version that this node has not come to yet, for a bounded time. */
export class CatchUp {
  readonly #feed: ChangeFeed;
  readonly #present: () => Version;
  readonly #timeoutMs: number;
  readonly #held: HeldRequests;
  readonly #pending = new Set<Pending>();
  readonly #deadlines: Deadlines<Pending>;
  /** No pending version is older: most batches reach none, however many wait. */
  #oldest = Number.POSITIVE_INFINITY;

  constructor(options: {
    readonly feed: ChangeFeed;
    /** How far this node has come; it may have come further after each delivery of the feed. */
    readonly present: () => Version;
    readonly catchUpTimeoutMs: number;
    readonly limits: HeldRequestLimits;
    readonly clock: Clock;
  }) {
    this.#feed = options.feed;
    this.#present = options.present;
    this.#timeoutMs = options.catchUpTimeoutMs;
    this.#held = new HeldRequests(options.limits);
    this.#deadlines = new Deadlines(options.clock, (pending) => this.#settle(pending, 'behind'));
    options.feed.listen(() => this.#release());
  }

  get count(): number {
    return this.#held.count;
  }

  /** Whether this node has come to `version`, now or within the time that is given to it, and no more than `atMostMs`. */
  reaches(
    version: Version,
    client: CatchUpClient,
    atMostMs = Number.POSITIVE_INFINITY,
  ): CatchUpOutcome | Promise<CatchUpOutcome> {
    if (version <= this.#present()) return 'reached';
    if (!this.#feed.isLive) return 'stopped';
    return this.#held.hold(client.address) === null ? this.#wait(version, client, atMostMs) : 'behind';
  }

  /** Ends all that wait, without what they waited for. */
  stop(): void {
    for (const pending of [...this.#pending]) this.#settle(pending, 'stopped');
  }

  async #wait(version: Version, client: CatchUpClient, atMostMs: number): Promise<CatchUpOutcome> {
    let leave = (): void => undefined;
    const outcome = await new Promise<CatchUpOutcome>((settle) => {
      const pending: Pending = { version, settle, deadlineSlot: null };
      this.#pending.add(pending);
      this.#oldest = Math.min(this.#oldest, version);
      this.#deadlines.add(pending, Math.min(this.#timeoutMs, atMostMs));
      leave = client.onGone(() => this.#settle(pending, 'behind'));
    });
    leave();
    this.#held.release(client.address);
    return outcome;
  }

  #release(): void {
    const version = this.#present();
    if (version < this.#oldest) return;
    this.#oldest = Number.POSITIVE_INFINITY;
    for (const pending of this.#pending) {
      if (pending.version <= version) this.#settle(pending, 'reached');
      else this.#oldest = Math.min(this.#oldest, pending.version);
    }
  }

  #settle(pending: Pending, outcome: CatchUpOutcome): void {
    this.#pending.delete(pending);
    this.#deadlines.delete(pending);
    pending.settle(outcome);
  }
}
