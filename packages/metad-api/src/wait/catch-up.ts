import type { Version } from '@metad/kv-store';
import type { ChangeFeed } from './change-feed.ts';
import { type Clock, Deadlines } from './deadlines.ts';

interface Pending {
  readonly version: Version;
  readonly settle: (reached: boolean) => void;
}

/** Lets requests that carry a newer version than this node has applied wait for it, for a bounded time. */
export class CatchUp {
  readonly #feed: ChangeFeed;
  readonly #timeoutMs: number;
  readonly #maxPending: number;
  readonly #pending = new Set<Pending>();
  readonly #deadlines: Deadlines<Pending>;

  constructor(options: {
    readonly feed: ChangeFeed;
    readonly catchUpTimeoutMs: number;
    readonly maxPending: number;
    readonly clock: Clock;
  }) {
    this.#feed = options.feed;
    this.#timeoutMs = options.catchUpTimeoutMs;
    this.#maxPending = options.maxPending;
    this.#deadlines = new Deadlines(options.clock, (pending) => this.#settle(pending, false));
    options.feed.listen(() => this.#release());
  }

  get count(): number {
    return this.#pending.size;
  }

  /** Whether this node has applied `version`, now or within the time that is given to it. */
  async reaches(version: Version, onGone: (listener: () => void) => () => void): Promise<boolean> {
    // What is applied may be ahead of what has been delivered.
    if (version <= this.#feed.version || version <= this.#feed.read((_, applied) => applied)) return true;
    if (!this.#feed.isLive || this.#pending.size >= this.#maxPending) return false;
    let leave = (): void => undefined;
    const reached = await new Promise<boolean>((settle) => {
      const pending: Pending = { version, settle };
      this.#pending.add(pending);
      this.#deadlines.add(pending, this.#timeoutMs);
      leave = onGone(() => this.#settle(pending, false));
    });
    leave();
    return reached;
  }

  /** Ends all that wait, without what they waited for. */
  stop(): void {
    for (const pending of [...this.#pending]) this.#settle(pending, false);
  }

  #release(): void {
    for (const pending of this.#pending) {
      if (pending.version <= this.#feed.version) this.#settle(pending, true);
    }
  }

  #settle(pending: Pending, reached: boolean): void {
    this.#pending.delete(pending);
    this.#deadlines.delete(pending);
    pending.settle(reached);
  }
}
