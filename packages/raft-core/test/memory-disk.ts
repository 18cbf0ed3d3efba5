import { assert } from '../src/assert.ts';
import { type Entry, entryBytes } from '../src/entry.ts';
import { type LogId, type LogIndex, ZERO_LOG_ID } from '../src/ids.ts';
import type { InitialState, LogReader, StoredMembership } from '../src/log-reader.ts';
import { type HardState, INITIAL_HARD_STATE, type Ready } from '../src/ready.ts';

/** What one node has on disk. A write that was not synced is lost by a crash. */
export class MemoryDisk implements LogReader {
  hardState: HardState = INITIAL_HARD_STATE;
  #syncedHardState: HardState = INITIAL_HARD_STATE;
  compacted: LogId = ZERO_LOG_ID;
  log: Entry[] = [];

  static bootstrapped(entry: Entry, hardState: HardState): MemoryDisk {
    const disk = new MemoryDisk();
    disk.log.push(entry);
    disk.hardState = hardState;
    disk.#syncedHardState = hardState;
    return disk;
  }

  get last(): LogId {
    return this.log.at(-1) ?? this.compacted;
  }

  /** Snapshot, entries and hard state as one write. */
  persist(ready: Ready): void {
    if (ready.snapshot !== null) {
      this.compacted = ready.snapshot.last;
      this.log = [];
    }
    const [first] = ready.entries;
    if (first !== undefined) {
      assert(first.index > this.compacted.index, 'nothing compacted is written again');
      assert(first.index <= this.last.index + 1, 'the log on disk has no gap');
      this.log.length = first.index - this.compacted.index - 1;
      this.log.push(...ready.entries);
    }
    if (ready.hardState !== null) this.hardState = ready.hardState;
    if (ready.mustSync) this.#syncedHardState = this.hardState;
    else assert(ready.entries.length === 0 && ready.snapshot === null, 'entries and snapshots are synced');
  }

  /** What was written without a sync may be gone. */
  crash(loseUnsynced: boolean): void {
    if (loseUnsynced) this.hardState = this.#syncedHardState;
  }

  compact(to: LogId): void {
    this.log = this.log.filter((entry) => entry.index > to.index);
    this.compacted = { term: to.term, leader: to.leader, index: to.index };
  }

  entries(range: {
    readonly from: LogIndex;
    readonly to: LogIndex;
    readonly maxBytes: number;
  }): readonly Entry[] {
    assert(
      range.from > this.compacted.index && range.to <= this.last.index + 1,
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

  logId(index: LogIndex): LogId | undefined {
    return this.#at(index);
  }

  #at(index: number): Entry | undefined {
    return this.log[index - this.compacted.index - 1];
  }

  /** What a node that starts from this disk finds; `stored` is the state machine's membership. */
  initial(applied: LogId, stored: StoredMembership | null): InitialState {
    const memberships: StoredMembership[] = stored === null ? [] : [stored];
    for (const { payload, term, leader, index } of this.log) {
      if (payload.type !== 'membership' || index <= applied.index) continue;
      memberships.push({ logId: { term, leader, index }, membership: payload.membership });
    }
    return { hardState: this.hardState, compacted: this.compacted, lastLog: this.last, applied, memberships };
  }
}
