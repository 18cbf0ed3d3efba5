import type { SnapshotLimits } from './limits.ts';

/**
 * How much of a snapshot may be under way. It all lies before the next heartbeat, in this node's memory, in the kernel or
 * in the network; so it is kept to what the peer takes in a short time, however slow the way to it or its disk is.
 */
export class SendWindow {
  readonly #limits: Pick<SnapshotLimits, 'chunkBytes' | 'maxWindowBytes' | 'confirmMs'>;
  readonly #underWay: { readonly end: number; readonly at: number }[] = [];
  #bytes: number;
  /** When it shrank the last time: what had been sent before says no more than that. */
  #shrunkAt = Number.NEGATIVE_INFINITY;

  constructor(limits: Pick<SnapshotLimits, 'chunkBytes' | 'maxWindowBytes' | 'confirmMs'>) {
    this.#limits = limits;
    this.#bytes = limits.chunkBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Everything before `end` was sent by `now`, in milliseconds. */
  sent(end: number, now: number): void {
    this.#underWay.push({ end, at: now });
  }

  confirmed(offset: number, now: number): void {
    const { chunkBytes, maxWindowBytes, confirmMs } = this.#limits;
    for (;;) {
      const [oldest] = this.#underWay;
      if (oldest === undefined || oldest.end > offset) return;
      this.#underWay.shift();
      const tookMs = now - oldest.at;
      if (tookMs < confirmMs / 2) this.#bytes = Math.min(this.#bytes + chunkBytes, maxWindowBytes);
      else if (tookMs > confirmMs && oldest.at >= this.#shrunkAt) {
        this.#bytes = Math.max(this.#bytes / 2, chunkBytes);
        this.#shrunkAt = now;
      }
    }
  }
}
