import { assert } from '@metad/raft-core';

/** One tick of an undisturbed node, in units of virtual time. */
export const TICK = 100;

interface Event {
  readonly at: number;
  /** Events of one moment happen in the order they were scheduled, so that a run has one order only. */
  readonly order: number;
  readonly act: () => void;
}

/** Virtual time: it moves from event to event, and nothing happens between them. A binary heap. */
export class EventQueue {
  readonly #heap: Event[] = [];
  #now = 0;
  #scheduled = 0;

  get now(): number {
    return this.#now;
  }

  /** Schedules `act` for `delay` from now. */
  after(delay: number, act: () => void): void {
    assert(delay >= 0, 'nothing is scheduled for the past');
    const event = { at: this.#now + delay, order: this.#scheduled++, act };
    this.#heap.push(event);
    this.#rise(this.#heap.length - 1);
  }

  /** Makes the next event happen; false when there is none before `until`. */
  maybeNext(until: number): boolean {
    const [first] = this.#heap;
    if (first === undefined || first.at >= until) {
      this.#now = until;
      return false;
    }
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) {
      this.#heap[0] = last;
      this.#sink();
    }
    this.#now = first.at;
    first.act();
    return true;
  }

  #rise(from: number): void {
    let child = from;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#isBefore(child, parent)) return;
      this.#swap(child, parent);
      child = parent;
    }
  }

  #sink(): void {
    let parent = 0;
    for (;;) {
      const left = 2 * parent + 1;
      const smaller = this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#isBefore(smaller, parent)) return;
      this.#swap(smaller, parent);
      parent = smaller;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (one === undefined) return false;
    return other === undefined || one.at < other.at || (one.at === other.at && one.order < other.order);
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    assert(one !== undefined && other !== undefined, 'only events that are there change places');
    this.#heap[a] = other;
    this.#heap[b] = one;
  }
}
