import { assert } from './assert.ts';
import type { Entry } from './entry.ts';
import {
  addToIndex,
  compareLogId,
  type LogId,
  type LogIndex,
  maxIndex,
  minIndex,
  nextIndex,
  previousIndex,
  type Term,
} from './ids.ts';
import type { InitialState, LogReader } from './log-reader.ts';
import { LogTail } from './log-tail.ts';
import type { SnapshotMeta } from './message.ts';

/**
 * The log as this node sees it, and every pointer into it:
 *
 *      0    compacted       applied        committed                          last
 *      ├────────┼──────────────┼───────────────┼────────────────────────────────┤
 *      │  gone  │ state        │ agreed, to be │ may still be truncated         │
 *      │        │ machine has  │ applied       │ by a leader of a later term    │
 *
 *      0    compacted       applied               persisted   handedOut       last
 *      ├────────┼──────────────┼──────────────────────┼───────────┼─────────────┤
 *               │ on disk, read through LogReader or  │ with the  │ for the     │
 *               │ from the tail in memory             │ driver    │ next Ready  │
 *
 * committed and persisted move independently: a leader may commit by its peers' disks before its own has answered.
 */
export class RaftLog {
  readonly #reader: LogReader;
  readonly #maxTailBytes: number;
  readonly #tail: LogTail;
  #compacted: LogId;
  #last: LogId;
  #applied: LogIndex;
  #committed: LogIndex;
  #persisted: LogIndex;
  #handedOut: LogIndex;
  /** Received, and to be installed by the next Ready; the pointers count it already. */
  #snapshot: SnapshotMeta | null = null;

  constructor(initial: InitialState, reader: LogReader, maxTailBytes: number) {
    const { compacted, applied, lastLog, hardState } = initial;
    assert(compareLogId(compacted, applied) <= 0, 'the log is compacted only up to what is applied');
    assert(compareLogId(applied, lastLog) <= 0, 'only what is in the log is applied');
    assert(lastLog.term <= hardState.term, 'no entry is from a term that this node has not seen');
    assert(hardState.committed <= lastLog.index, 'what was committed is still in the log');
    this.#reader = reader;
    this.#maxTailBytes = maxTailBytes;
    this.#tail = new LogTail(nextIndex(lastLog.index));
    this.#compacted = compacted;
    this.#last = lastLog;
    this.#applied = applied.index;
    this.#committed = maxIndex(hardState.committed, applied.index);
    this.#persisted = lastLog.index;
    this.#handedOut = lastLog.index;
  }

  get compacted(): LogId {
    return this.#compacted;
  }
  get applied(): LogIndex {
    return this.#applied;
  }
  get committed(): LogIndex {
    return this.#committed;
  }
  get persisted(): LogIndex {
    return this.#persisted;
  }
  get last(): LogId {
    return this.#last;
  }

  /** Undefined for an entry that is compacted or not there yet. The compacted one itself is still known. */
  logId(index: LogIndex): LogId | undefined {
    if (index > this.#last.index || index < this.#compacted.index) return undefined;
    if (index === this.#compacted.index) return this.#compacted;
    if (index === this.#last.index) return this.#last;
    if (index >= this.#tail.first) return this.#tail.get(index);
    const logId = this.#reader.logId(index);
    assert(logId?.index === index, () => `entry ${index} is missing from the log on disk`);
    return logId;
  }

  /** Whether the log holds the entry that `logId` names (log matching: then all before it are equal too). */
  holds(logId: LogId): boolean {
    const own = this.logId(logId.index);
    return own !== undefined && compareLogId(own, logId) === 0;
  }

  /** Appends what a leader of this term proposed, or a follower took over, right behind the last entry. */
  append(entry: Entry): void {
    assert(entry.index === nextIndex(this.#last.index), 'the log has no gap');
    assert(entry.term >= this.#last.term, 'terms never fall along the log');
    this.#tail.push(entry);
    this.#last = logIdOf(entry);
  }

  /** Removes the entries at and behind `from`: a leader of a later term has others there. */
  truncateFrom(from: LogIndex): void {
    assert(
      from > this.#committed,
      () => `entry ${from} is committed (up to ${this.#committed}), never truncated`,
    );
    const last = this.logId(previousIndex(from));
    assert(last !== undefined, 'what lies before a truncated entry is in the log');
    this.#last = logIdOf(last);
    this.#tail.truncateFrom(from);
    this.#handedOut = minIndex(this.#handedOut, this.#last.index);
    this.#persisted = minIndex(this.#persisted, this.#last.index);
  }

  /** Returns whether the commit index moved. It never falls. */
  commitTo(index: LogIndex): boolean {
    if (index <= this.#committed) return false;
    assert(
      index <= this.#last.index,
      () => `commit index ${index} lies beyond the log, which ends at ${this.#last.index}`,
    );
    this.#committed = index;
    return true;
  }

  /** Replaces the whole log by a snapshot that the next Ready installs. */
  restore(snapshot: SnapshotMeta): void {
    const { last } = snapshot;
    assert(last.index > this.#committed, 'a snapshot never takes back what is committed');
    this.#snapshot = snapshot;
    this.#compacted = last;
    this.#last = last;
    this.#tail.clear(nextIndex(last.index));
    this.#applied = last.index;
    this.#committed = last.index;
    this.#persisted = last.index;
    this.#handedOut = last.index;
  }

  /** The driver has dropped the entries up to and with `to` from its disk. */
  compactTo(to: LogId): void {
    if (to.index <= this.#compacted.index) return;
    assert(
      to.index <= this.#applied,
      () => `only what is applied is compacted, not ${to.index} > ${this.#applied}`,
    );
    this.#compacted = logIdOf(to);
    const first = nextIndex(to.index);
    if (first >= this.#tail.end) this.#tail.clear(first);
    else this.#tail.dropBefore(first);
  }

  /** Entries in [from, to): as many as fit into `maxBytes` and lie together, at least one. */
  slice(range: {
    readonly from: LogIndex;
    readonly to: LogIndex;
    readonly maxBytes: number;
  }): readonly Entry[] {
    const { from, to, maxBytes } = range;
    assert(from > this.#compacted.index && from < to, 'the range is not empty and not compacted');
    if (from >= this.#tail.first) return this.#tail.slice(range);
    const entries = this.#reader.entries({ from, to: minIndex(to, this.#tail.first), maxBytes });
    assert(entries[0]?.index === from, () => `entry ${from} is missing from the log on disk`);
    return entries;
  }

  /** What the entries in (after, to] are charged for; all of them not applied yet, and so in memory. */
  bytesBetween(range: { readonly after: LogIndex; readonly to: LogIndex }): number {
    return this.#tail.bytesIn({ from: nextIndex(range.after), to: nextIndex(range.to) });
  }

  /**
   * The last entry at or before `at` whose term is not beyond `term`, found by bisection: terms never fall along the
   * log. Undefined when every entry in (after, at] is of a later term.
   */
  lastOfTermUpTo(range: {
    readonly term: Term;
    readonly at: LogIndex;
    readonly after: LogIndex;
  }): LogId | undefined {
    let low: number = range.after;
    let high: number = minIndex(range.at, this.#last.index);
    let found: LogId | undefined;
    while (low < high) {
      const middle = addToIndex(range.after, Math.ceil((low + high) / 2) - range.after);
      const logId = this.logId(middle);
      assert(logId !== undefined, 'the searched range is in the log');
      if (logId.term <= range.term) {
        found = logIdOf(logId);
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return found;
  }

  get hasUnpersisted(): boolean {
    return this.#snapshot !== null || this.#handedOut < this.#last.index;
  }

  /** The snapshot and the entries that the next Ready has to persist; hands each out once. */
  takeUnpersisted(): { readonly snapshot: SnapshotMeta | null; readonly entries: readonly Entry[] } {
    const snapshot = this.#snapshot;
    const from = nextIndex(this.#handedOut);
    const entries = this.#tail.slice({ from, to: this.#tail.end, maxBytes: Number.POSITIVE_INFINITY });
    this.#snapshot = null;
    this.#handedOut = this.#last.index;
    return { snapshot, entries };
  }

  get hasUnapplied(): boolean {
    return this.#applied < this.#committed;
  }

  /** The next entries to apply. All of them are on disk, or with the driver to get there first. */
  unapplied(maxBytes: number): readonly Entry[] {
    if (!this.hasUnapplied) return [];
    assert(
      this.#committed <= this.#handedOut,
      'what is applied is persisted no later than by the same Ready',
    );
    return this.slice({ from: nextIndex(this.#applied), to: nextIndex(this.#committed), maxBytes });
  }

  /** The driver has done what the last Ready asked for. What was truncated since is not in `handedOut` any more. */
  advance(applied: LogIndex | null): void {
    this.#persisted = this.#handedOut;
    if (applied !== null) this.#applied = maxIndex(this.#applied, applied);
    this.#trim();
    this.#assertOrder();
  }

  /** Keeps the tail within its bound; what must stay in memory (not persisted or not applied) may exceed it. */
  #trim(): void {
    const droppable = minIndex(this.#persisted, this.#applied);
    while (this.#tail.bytes > this.#maxTailBytes && this.#tail.first <= droppable) {
      this.#tail.dropBefore(nextIndex(this.#tail.first));
    }
  }

  #assertOrder(): void {
    assert(this.#compacted.index <= this.#applied, 'compacted <= applied');
    assert(this.#applied <= this.#committed, 'applied <= committed');
    assert(this.#committed <= this.#last.index, 'committed <= last');
    assert(this.#applied <= this.#persisted, 'applied <= persisted');
    assert(this.#persisted <= this.#handedOut, 'persisted <= handed out');
    assert(this.#handedOut <= this.#last.index, 'handed out <= last');
    assert(this.#tail.end === nextIndex(this.#last.index), 'the tail ends with the log');
  }
}

function logIdOf({ term, leader, index }: LogId): LogId {
  return { term, leader, index };
}
