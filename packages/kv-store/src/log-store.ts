import {
  assert,
  type Entry,
  type HardState,
  type LogId,
  type LogIndex,
  type LogReader,
  logIndex,
  previousIndex,
  type StoredMembership,
} from '@metad/raft-core';
import type Database from 'better-sqlite3';
import { Checkpoints } from './checkpoint.ts';
import { openForWriting } from './database.ts';
import { FirstError } from './first-error.ts';
import { type ExtraRows, type LogBatch, type SnapshotSwitch, writeBatch } from './log-batch.ts';
import { DEFAULT_PURGE_LIMITS, type PurgeLimits, purgeFirst } from './log-purge.ts';
import { damagedLog, LogRows } from './log-rows.ts';
import { checkEntries, checkHardState } from './log-rules.ts';
import {
  LOG_CONNECTION,
  LOG_FORMAT,
  MAX_LOG_WAL_PAGES,
  MAX_UNSAVED_COMMITS,
  RESERVED_WAL_BYTES,
} from './log-schema.ts';
import { type LogSize, roomOf } from './log-size.ts';
import { type LogStatements, prepareLogStatements } from './log-statements.ts';
import type { NodeIdentity } from './node-identity.ts';
import { checkPages } from './page-check.ts';
import { reserveFile } from './reserve-file.ts';
import { rewriteWal } from './rewrite-wal.ts';
import { namingFile } from './store-error.ts';
import { WalSync } from './wal-sync.ts';

/**
 * log.db. What was appended before a `sync` began survives a power failure once that has ended; each batch is there whole
 * or not at all, and none without those before it. The first error is final: SQLite's view of a file whose sync failed
 * cannot be trusted, so every later call throws the same error.
 */
export class LogStore implements LogReader {
  readonly #db: Database.Database;
  readonly #file: string;
  readonly #statements: LogStatements;
  readonly #rows: LogRows;
  readonly #checkpoints: Checkpoints;
  readonly #wal: WalSync;
  readonly #commit: Database.Transaction<(batch: LogBatch, extra: ExtraRows) => void>;
  readonly #purge: Database.Transaction<(upTo: LogIndex, limits: PurgeLimits) => boolean>;
  readonly #firstError: FirstError;
  #hardState: HardState;
  /** What is written: behind `#hardState`, by its commit index only. */
  #savedHardState: HardState;
  #compacted: LogId;
  #lastLog: LogId;
  #stateGeneration: number;
  /** Whether there may be rows that are compacted and still take up room. */
  #unpurged = true;

  private constructor(file: string, db: Database.Database, wal: WalSync) {
    this.#file = file;
    this.#firstError = new FirstError(file);
    this.#db = db;
    this.#statements = prepareLogStatements(db);
    this.#rows = new LogRows(file, this.#statements);
    this.#checkpoints = new Checkpoints(db);
    this.#wal = wal;
    this.#commit = db.transaction((batch, extra) => {
      writeBatch(this.#statements, this.#lastLog, batch, extra);
    });
    this.#purge = db.transaction((upTo, limits) => purgeFirst(this.#statements, upTo, limits));
    const { hardState, compacted } = this.#rows.hardState();
    this.#hardState = hardState;
    this.#savedHardState = hardState;
    this.#compacted = compacted;
    this.#stateGeneration = this.#rows.stateGeneration();
    this.#lastLog = this.#rows.lastLog(compacted);
    if (hardState.committed > this.#lastLog.index) {
      throw damagedLog(file, `committed entry ${hardState.committed} is missing`);
    }
  }

  /**
   * Opens the log and creates it when absent. Holds a lock on the file until it is closed or the process ends. All that is
   * in it is on disk then: what a process has left that was killed between a write and its sync, or whose sync failed,
   * would otherwise be acknowledged as if it were.
   */
  static open(file: string): LogStore {
    const db = openForWriting(file, LOG_FORMAT, LOG_CONNECTION);
    const wal = new WalSync(file);
    try {
      const log = namingFile(file, () => new LogStore(file, db, wal));
      rewriteWal(file, db);
      log.syncNow();
      return log;
    } catch (error) {
      wal.close();
      db.close();
      throw error;
    }
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  /** The last entry that is no longer here; ZERO_LOG_ID when none. */
  get compacted(): LogId {
    return this.#compacted;
  }

  /** Which file holds the state: see `stateFileName`. */
  get stateGeneration(): number {
    return this.#stateGeneration;
  }

  /** The last entry; equal to `compacted` when there is none. */
  get lastLog(): LogId {
    return this.#lastLog;
  }

  /** Writes one batch in one transaction. It is on disk after a `sync` that begins later: one, whatever its size. */
  append(batch: LogBatch): void {
    this.#checkBatch(batch);
    const hardState = batch.hardState ?? this.#hardState;
    if (batch.sync) {
      const saved = this.#mustSave(hardState) ? hardState : null;
      this.#firstError.run(() => this.#commit.immediate({ ...batch, hardState: saved }, {}));
      this.#savedHardState = saved ?? this.#savedHardState;
    }
    this.#hardState = hardState;
    this.#lastLog = logIdOfEntry(batch.entries.at(-1)) ?? this.#lastLog;
    if (batch.sync) this.checkpointBeyond(MAX_LOG_WAL_PAGES);
  }

  /** Puts on disk all that was written, while this thread goes on. What is written meanwhile may be left out. */
  sync(): Promise<void> {
    return this.#firstError.runAsync(() => this.#wal.beside());
  }

  /** The same, with this thread waiting for the disk. */
  syncNow(): void {
    this.#firstError.run(() => this.#wal.now());
  }

  /**
   * Takes the room on disk that the write-ahead log needs until it begins again, so that no sync has to make the file
   * longer. Returns false when the disk has no room for it: the log then grows as it is written.
   */
  reserve(): boolean {
    return this.#firstError.run(() => reserveFile(`${this.#file}-wal`, RESERVED_WAL_BYTES));
  }

  /** Writes the first entries of an empty log together with who this node is. */
  initialize(batch: LogBatch, identity: NodeIdentity): void {
    assert(this.#lastLog.index === 0 && this.#hardState.term === 0, 'only an empty log can be initialized');
    this.#checkBatch(batch);
    this.#commitSynced(batch, { identity });
    this.#hardState = batch.hardState ?? this.#hardState;
    this.#savedHardState = this.#hardState;
    this.#lastLog = logIdOfEntry(batch.entries.at(-1)) ?? this.#lastLog;
  }

  /**
   * Begins the log anew behind a snapshot, in one synced transaction: the snapshot's state file is the state from now
   * on, its last entry the last one that is gone, and `batch` follows it.
   */
  restore(batch: LogBatch, snapshot: SnapshotSwitch, identity?: NodeIdentity): void {
    const { last, stateGeneration } = snapshot;
    const committed = logIndex(Math.max(this.#hardState.committed, last.index));
    const hardState = batch.hardState ?? { ...this.#hardState, committed };
    assert(last.index > this.#compacted.index, 'a snapshot replaces an older log');
    assert(hardState.committed >= last.index, 'what a snapshot holds is committed');
    assert(stateGeneration > this.#stateGeneration, 'every snapshot installed begins a new generation');
    checkHardState(this.#hardState, hardState, true);
    checkEntries(batch.entries, last, last.index);
    const extra = identity === undefined ? { snapshot } : { snapshot, identity };
    this.#commitSynced({ ...batch, hardState }, extra);
    this.#hardState = hardState;
    this.#savedHardState = hardState;
    this.#compacted = last;
    this.#lastLog = logIdOfEntry(batch.entries.at(-1)) ?? last;
    this.#stateGeneration = stateGeneration;
    this.#unpurged = true;
  }

  /**
   * The log begins behind `upTo` from now on; the state must have that entry durably. Costs no sync, as losing it costs
   * nothing. The room is given back by `purge`.
   */
  compact(upTo: LogIndex): LogId {
    if (upTo <= this.#compacted.index) return this.#compacted;
    const to = this.logId(upTo);
    assert(to !== undefined, () => `entry ${upTo}, up to which to compact, is not in the log`);
    this.#firstError.run(() => this.#statements.saveCompacted.run(to.term, to.leader, to.index));
    this.#compacted = to;
    this.#unpurged = true;
    return to;
  }

  /** Removes some of what is compacted. Returns whether there is more: then call it again, a little later. */
  purge(limits: PurgeLimits = DEFAULT_PURGE_LIMITS): boolean {
    if (!this.#unpurged) return false;
    const { index } = this.#compacted;
    this.#unpurged = this.#firstError.run(() => this.#purge.immediate(index, limits));
    return this.#unpurged;
  }

  size(): LogSize {
    const entries = this.#lastLog.index - this.#compacted.index;
    return this.#firstError.run(() => ({ entries, ...roomOf(this.#db) }));
  }

  /**
   * Moves the write-ahead log into the file if it is longer than that: a quiet moment is better than a write. No moment is
   * quiet while the disk is syncing: this thread would have to wait for it.
   */
  checkpointBeyond(pages: number): void {
    if (this.#wal.isRunning) return;
    this.#firstError.run(() => this.#checkpoints.runBeyond(pages));
  }

  /** Reads the whole file. Throws a StoreError unless it is what SQLite expects. */
  checkPages(): void {
    this.#firstError.run(() => checkPages(this.#file, this.#db));
  }

  entries(range: { readonly from: LogIndex; readonly to: LogIndex; readonly maxBytes: number }): Entry[] {
    const { from, to } = range;
    assert(from > this.#compacted.index && from < to && to <= this.#lastLog.index + 1, () => {
      return `entries ${from} to ${to} asked of a log of ${this.#compacted.index + 1} to ${this.#lastLog.index}`;
    });
    return this.#firstError.run(() => this.#rows.entries(range));
  }

  logId(index: LogIndex): LogId | undefined {
    if (index <= this.#compacted.index) return undefined;
    if (index === this.#lastLog.index) return this.#lastLog;
    return this.#firstError.run(() => this.#rows.logId(index));
  }

  /** The membership entries behind `after`, in order. */
  memberships(after: LogIndex): StoredMembership[] {
    return this.#firstError.run(() => this.#rows.memberships(after));
  }

  /** Null until one was saved. */
  identity(): NodeIdentity | null {
    return this.#firstError.run(() => this.#rows.identity());
  }

  /** On disk when it returns. */
  saveIdentity(identity: NodeIdentity): void {
    this.#commitSynced({ entries: [], hardState: null, sync: true }, { identity });
  }

  /** Writes what waits in memory and gives up the lock. */
  close(): void {
    if (!this.#db.open) return;
    try {
      const { committed } = this.#hardState;
      if (committed > this.#savedHardState.committed && !this.#firstError.hasCome) {
        this.#commitSynced({ entries: [], hardState: this.#hardState, sync: true }, {});
      }
    } finally {
      this.#wal.close();
      this.#db.close();
    }
  }

  #commitSynced(batch: LogBatch, extra: ExtraRows): void {
    this.#firstError.run(() => this.#commit.immediate(batch, extra));
    this.syncNow();
  }

  /** A commit index alone would write another page with each batch. */
  #mustSave({ term, votedFor, committed }: HardState): boolean {
    const saved = this.#savedHardState;
    return (
      term !== saved.term || votedFor !== saved.votedFor || committed - saved.committed >= MAX_UNSAVED_COMMITS
    );
  }

  #checkBatch({ entries, hardState, sync }: LogBatch): void {
    const old = this.#hardState;
    if (hardState !== null) checkHardState(old, hardState, sync);
    const [first] = entries;
    if (first !== undefined) {
      assert(sync, 'entries must be synced');
      checkEntries(entries, this.#idBefore(first.index), old.committed);
    }
    const last = entries.at(-1) ?? this.#lastLog;
    assert((hardState ?? old).committed <= last.index, 'only what is in the log is committed');
  }

  /** The log id before `index`; undefined when the log does not reach that far, or no longer does. */
  #idBefore(index: LogIndex): LogId | undefined {
    return index === this.#compacted.index + 1 ? this.#compacted : this.logId(previousIndex(index));
  }
}

function logIdOfEntry(entry: Entry | undefined): LogId | undefined {
  return entry && { term: entry.term, leader: entry.leader, index: entry.index };
}
