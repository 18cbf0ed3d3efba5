import { assert } from './assert.ts';
import { type Entry, entryBytes } from './entry.ts';
import { addToIndex, type LogIndex } from './ids.ts';

/** The newest entries of the log, without a gap. Each is found, and any range of them weighed, in constant time. */
export class LogTail {
  /** Slots before `#head` are dropped entries, cut off once they are half of the array. */
  #slots: Entry[] = [];
  /** What all entries before each slot are charged for, those cut off included; one more than there are slots. */
  #bytesBefore: number[] = [0];
  #head = 0;
  #first: LogIndex;

  /** An empty tail whose next entry will be `first`. */
  constructor(first: LogIndex) {
    this.#first = first;
  }

  /** The index of the first entry held; of the next one to come when empty. */
  get first(): LogIndex {
    return this.#first;
  }

  get end(): LogIndex {
    return addToIndex(this.#first, this.#slots.length - this.#head);
  }

  get bytes(): number {
    return this.#before(this.#slots.length) - this.#before(this.#head);
  }

  get(index: LogIndex): Entry | undefined {
    return index < this.#first ? undefined : this.#slots[this.#slot(index)];
  }

  push(entry: Entry): void {
    assert(
      entry.index === this.end,
      () => `entry ${entry.index} does not follow the log, ${this.end} is next`,
    );
    this.#bytesBefore.push(this.#before(this.#slots.length) + entryBytes(entry));
    this.#slots.push(entry);
  }

  /** Drops the entries at and behind `from`; when all of them and some before are gone, `from` is the next one. */
  truncateFrom(from: LogIndex): void {
    if (from < this.#first) {
      this.clear(from);
      return;
    }
    const slot = this.#slot(from);
    assert(slot <= this.#slots.length, 'what is truncated begins no later than behind the last entry');
    this.#slots.length = slot;
    this.#bytesBefore.length = slot + 1;
  }

  /** Drops the entries before `first`. */
  dropBefore(first: LogIndex): void {
    if (first <= this.#first) return;
    assert(first <= this.end, 'only entries that are there are dropped');
    this.#head = this.#slot(first);
    this.#first = first;
    if (this.#head < MIN_CUT || this.#head * 2 < this.#slots.length) return;
    this.#slots = this.#slots.slice(this.#head);
    this.#bytesBefore = this.#bytesBefore.slice(this.#head);
    this.#head = 0;
  }

  clear(first: LogIndex): void {
    this.#slots = [];
    this.#bytesBefore = [0];
    this.#head = 0;
    this.#first = first;
  }

  /** The entries in [from, to): as many as fit into `maxBytes`, at least one when there is one. */
  slice(range: {
    readonly from: LogIndex;
    readonly to: LogIndex;
    readonly maxBytes: number;
  }): readonly Entry[] {
    assert(range.from >= this.#first && range.to <= this.end, 'the range lies within the tail');
    const start = this.#slot(range.from);
    const stop = this.#slot(range.to);
    return this.#slots.slice(start, this.#fitting({ start, stop, maxBytes: range.maxBytes }));
  }

  /** What the entries in [from, to) are charged for. */
  bytesIn({ from, to }: { readonly from: LogIndex; readonly to: LogIndex }): number {
    assert(this.#first <= from && from <= to && to <= this.end, 'the range lies within the tail');
    return this.#before(this.#slot(to)) - this.#before(this.#slot(from));
  }

  /** The last slot up to `stop` with at most `maxBytes` between `start` and it; the one behind `start` in any case. */
  #fitting(range: { readonly start: number; readonly stop: number; readonly maxBytes: number }): number {
    const { start, stop, maxBytes } = range;
    const most = this.#before(start) + maxBytes;
    if (stop <= start + 1 || this.#before(stop) <= most) return stop;
    let fits = start + 1;
    let exceeds = stop;
    while (exceeds - fits > 1) {
      const middle = Math.floor((fits + exceeds) / 2);
      if (this.#before(middle) <= most) fits = middle;
      else exceeds = middle;
    }
    return fits;
  }

  #slot(index: LogIndex): number {
    return this.#head + (index - this.#first);
  }

  #before(slot: number): number {
    const bytes = this.#bytesBefore[slot];
    assert(bytes !== undefined, 'the slot is that of an entry, or the one behind the last');
    return bytes;
  }
}

/** Below this, moving the entries to the front costs more than the dropped slots. */
const MIN_CUT = 256;
