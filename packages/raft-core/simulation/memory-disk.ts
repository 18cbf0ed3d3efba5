import {
  assert,
  type Entry,
  entryBytes,
  type HardState,
  INITIAL_HARD_STATE,
  type InitialState,
  type LogId,
  type LogIndex,
  type LogReader,
  nextIndex,
  type Ready,
  type StoredMembership,
  ZERO_LOG_ID,
} from '@metad/raft-core';

/** The part of a Ready that goes to the disk. */
export type DiskWrite = Pick<Ready, 'snapshot' | 'entries' | 'hardState' | 'mustSync'>;

/** What a write has replaced, for as long as no sync covers it. */
interface Replaced {
  readonly hardState: HardState;
  /** From where on the log was written. */
  readonly from: LogIndex;
  readonly entries: readonly Entry[];
}

/** A disk in memory: hard state and log. Writes are atomic; those that no sync covers are lost with the power. */
export class MemoryDisk implements LogReader {
  #hardState: HardState;
  /** By each write since the last sync, the first one first. */
  #unsynced: Replaced[] = [];
  #compacted: LogId = ZERO_LOG_ID;
  /** Without a gap, behind what is compacted. */
  #log: Entry[];

  constructor({
    hardState = INITIAL_HARD_STATE,
    log = [],
  }: { readonly hardState?: HardState; readonly log?: readonly Entry[] } = {}) {
    this.#hardState = hardState;
    this.#log = [...log];
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  get compacted(): LogId {
    return this.#compacted;
  }

  get last(): LogId {
    return this.#log.at(-1) ?? this.#compacted;
  }

  get log(): readonly Entry[] {
    return this.#log;
  }

  /** What a node that starts from this disk finds; the state machine says what it has applied, and `stored`. */
  initialState(applied: LogId, stored: StoredMembership | null): InitialState {
    const memberships: StoredMembership[] = stored === null ? [] : [stored];
    for (const { payload, term, leader, index } of this.#after(applied.index)) {
      if (payload.type === 'membership') {
        memberships.push({ logId: { term, leader, index }, membership: payload.membership });
      }
    }
    const { hardState, compacted, last } = this;
    return { hardState, compacted, lastLog: last, applied, memberships };
  }

  /** `write` and `sync` in one. */
  persist(write: DiskWrite): void {
    this.write(write);
    if (write.mustSync) this.sync();
  }

  /**
   * Entries replace whatever is at or behind the first of them; a snapshot replaces the whole log before, and is synced at
   * once, with all that was written before it.
   */
  write({ snapshot, entries, hardState, mustSync }: DiskWrite): void {
    assert(mustSync || (entries.length === 0 && snapshot === null), 'entries and snapshots are synced');
    if (snapshot !== null) {
      this.#compacted = snapshot.last;
      this.#log = [];
    }
    const from = entries[0]?.index ?? nextIndex(this.last.index);
    const replaced = this.#append(entries);
    this.#unsynced.push({ hardState: this.#hardState, from, entries: replaced });
    if (hardState !== null) this.#hardState = hardState;
    if (snapshot !== null) this.sync();
  }

  sync(): void {
    this.#unsynced = [];
  }

  loseUnsynced(): void {
    for (const { hardState, from, entries } of this.#unsynced.toReversed()) {
      this.#log.splice(from - this.#compacted.index - 1, Number.POSITIVE_INFINITY, ...entries);
      this.#hardState = hardState;
    }
    this.sync();
  }

  compact({ term, leader, index }: LogId): void {
    this.#log = this.#log.slice(index - this.#compacted.index);
    this.#compacted = { term, leader, index };
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

  /** Returns what was there instead. */
  #append(entries: readonly Entry[]): readonly Entry[] {
    const [first] = entries;
    if (first === undefined) return [];
    assert(first.index > this.#compacted.index, 'nothing compacted is written again');
    assert(first.index <= this.last.index + 1, 'the log on disk has no gap');
    const replaced = this.#log.splice(first.index - this.#compacted.index - 1);
    for (const entry of entries) this.#log.push(entry);
    return replaced;
  }

  #after(index: LogIndex): readonly Entry[] {
    return this.#log.slice(Math.max(0, index - this.#compacted.index));
  }

  #at(index: number): Entry | undefined {
    return this.#log[index - this.#compacted.index - 1];
  }
}
