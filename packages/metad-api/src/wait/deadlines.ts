/** Time as this package needs it; tests bring their own. */
export interface Clock {
  /** Milliseconds that only ever grow. */
  now(): number;
  /** Calls `run` about every `intervalMs` until the returned function is called. Does not keep the process alive. */
  every(intervalMs: number, run: () => void): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  every(intervalMs, run) {
    const timer = setInterval(run, intervalMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};

/** How late a deadline may be noticed. */
const SLOT_MS = 100;

/** What can have a deadline, in one place at a time. */
export interface Timed {
  /** Kept by the deadlines: the slot in which it ends; null when it has none. */
  deadlineSlot: number | null;
}

/**
 * Deadlines of very many things with one timer, which runs only while there are any. Setting and clearing one costs the
 * same however many there are.
 */
export class Deadlines<T extends Timed> {
  readonly #clock: Clock;
  readonly #onExpired: (item: T) => void;
  /** By the slot in which they end. */
  readonly #slots = new Map<number, Set<T>>();
  #count = 0;
  /** All slots before this one have run out. */
  #nextSlot = 0;
  #stopTimer: (() => void) | null = null;

  constructor(clock: Clock, onExpired: (item: T) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  /** `item` must not have a deadline yet. */
  add(item: T, afterMs: number): void {
    const now = this.#clock.now();
    if (this.#stopTimer === null) {
      this.#nextSlot = Math.floor(now / SLOT_MS);
      this.#stopTimer = this.#clock.every(SLOT_MS, () => this.#expire());
    }
    const slot = Math.max(Math.ceil((now + afterMs) / SLOT_MS), this.#nextSlot);
    const items = this.#slots.get(slot) ?? new Set();
    this.#slots.set(slot, items.add(item));
    item.deadlineSlot = slot;
    this.#count += 1;
  }

  delete(item: T): void {
    const slot = item.deadlineSlot;
    if (slot === null) return;
    item.deadlineSlot = null;
    this.#count -= 1;
    const items = this.#slots.get(slot);
    items?.delete(item);
    if (items?.size === 0) this.#slots.delete(slot);
    this.#stopWhenIdle();
  }

  #expire(): void {
    const current = Math.floor(this.#clock.now() / SLOT_MS);
    const due: T[] = [];
    for (; this.#nextSlot <= current; this.#nextSlot += 1) {
      for (const item of this.#slots.get(this.#nextSlot) ?? []) due.push(item);
    }
    for (const item of due) {
      // Whoever ran out before it may have cleared it, or set it anew.
      if ((item.deadlineSlot ?? this.#nextSlot) >= this.#nextSlot) continue;
      this.delete(item);
      this.#onExpired(item);
    }
  }

  #stopWhenIdle(): void {
    if (this.#count > 0) return;
    this.#stopTimer?.();
    this.#stopTimer = null;
  }
}
