import {
  assert,
  type Entry,
  entryBytes,
  type LogId,
  type LogIndex,
  type LogReader,
  ZERO_LOG_ID,
} from '@metad/raft-core';

/** The log of one node on a disk in memory: an array, without a gap, behind what is compacted. */
export class MemoryLog implements LogReader {
  #compacted: LogId = ZERO_LOG_ID;
  #entries: Entry[] = [];

  get compacted(): LogId {
    return this.#compacted;
  }

  get last(): LogId {
    return this.#entries.at(-1) ?? this.#compacted;
  }

  /** The entries behind `index`. */
  after(index: LogIndex): readonly Entry[] {
    return this.#entries.slice(Math.max(0, index - this.#compacted.index));
  }

  /** Appends, and replaces whatever is at or behind the first of `entries`. */
  append(entries: readonly Entry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    assert(first.index > this.#compacted.index, 'nothing compacted is written again');
    assert(first.index <= this.last.index + 1, 'the log on disk has no gap');
    this.#entries.length = first.index - this.#compacted.index - 1;
    this.#entries.push(...entries);
  }

  /** Begins anew behind `last`. */
  reset(last: LogId): void {
    this.#compacted = last;
    this.#entries = [];
  }

  compact(to: LogId): void {
    this.#entries = this.#entries.slice(to.index - this.#compacted.index);
    this.#compacted = { term: to.term, leader: to.leader, index: to.index };
  }

  logId(index: LogIndex): LogId | undefined {
    return this.#at(index);
  }

  entries(range: {
    readonly from: LogIndex;
    readonly to: LogIndex;
    readonly maxBytes: number;
  }): readonly Entry[] {
    assert(
      range.from > this.#compacted.index && range.to <= this.last.index + 1,
      'only what is there is asked for',
    );
    const found: Entry[] = [];
    let bytes = 0;
    for (let index: number = range.from; index < range.to; index += 1) {
      const entry = this.#at(index);
      assert(entry !== undefined, 'the log on disk has no gap');
      bytes += entryBytes(entry);
      if (bytes > range.maxBytes && found.length > 0) break;
      found.push(entry);
    }
    return found;
  }

  #at(index: number): Entry | undefined {
    return this.#entries[index - this.#compacted.index - 1];
  }
}
