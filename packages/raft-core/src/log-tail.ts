import { assert } from './assert.ts';
import { type Entry, entryBytes } from './entry.ts';
import { addToIndex, type LogIndex, nextIndex } from './ids.ts';

/** The newest entries of the log, without a gap, each found by its index in constant time. */
export class LogTail {
  /** Slots before `#head` are dropped entries, cut off once they are half of the array. */
  #slots: Entry[] = [];
  #head = 0;
  #first: LogIndex;
  #bytes = 0;

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
    return this.#bytes;
  }

  get(index: LogIndex): Entry | undefined {
    return index < this.#first ? undefined : this.#slots[this.#head + (index - this.#first)];
  }

  push(entry: Entry): void {
    assert(
      entry.index === this.end,
      () => `entry ${entry.index} does not follow the log, ${this.end} is next`,
    );
    this.#slots.push(entry);
    this.#bytes += entryBytes(entry);
  }

  /** Drops the entries at and behind `from`; when all of them and some before are gone, `from` is the next one. */
  truncateFrom(from: LogIndex): void {
    if (from < this.#first) {
      this.clear(from);
      return;
    }
    while (this.end > from) {
      const entry = this.#slots.pop();
      assert(entry !== undefined, 'the tail ends at its last entry');
      this.#bytes -= entryBytes(entry);
    }
  }

  /** Drops the first entry. */
  shift(): void {
    const entry = this.#slots[this.#head];
    assert(entry !== undefined, 'only an entry that is there is dropped');
    this.#bytes -= entryBytes(entry);
    this.#head += 1;
    this.#first = nextIndex(this.#first);
    if (this.#head >= MIN_CUT && this.#head * 2 >= this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
  }

  clear(first: LogIndex): void {
    this.#slots = [];
    this.#head = 0;
    this.#first = first;
    this.#bytes = 0;
  }

  /** The entries in [from, to): as many as fit into `maxBytes`, at least one when there is one. */
  slice(range: {
    readonly from: LogIndex;
    readonly to: LogIndex;
    readonly maxBytes: number;
  }): readonly Entry[] {
    assert(range.from >= this.#first && range.to <= this.end, 'the range lies within the tail');
    const start = this.#head + (range.from - this.#first);
    const stop = this.#head + (range.to - this.#first);
    let end = start;
    let bytes = 0;
    while (end < stop) {
      const entry = this.#slots[end];
      assert(entry !== undefined, 'the tail has no gap');
      bytes += entryBytes(entry);
      if (bytes > range.maxBytes && end > start) break;
      end += 1;
    }
    return this.#slots.slice(start, end);
  }
}

/** Below this, moving the entries to the front costs more than the dropped slots. */
const MIN_CUT = 256;
