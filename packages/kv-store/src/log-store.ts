import {
  assert,
  type Entry,
  entryBytes,
  type HardState,
  type LogId,
  type LogIndex,
  type LogReader,
  logIndex,
  type NodeId,
  nodeId,
  previousIndex,
  type StoredMembership,
  term,
} from '@metad/raft-core';
import type Database from 'better-sqlite3';
import { openForWriting } from './database.ts';
import { decodeEntry, type EntryRow, encodeEntry } from './entry-codec.ts';
import { logIdFromRow } from './log-id-row.ts';
import { checkEntries, checkHardState } from './log-rules.ts';
import { LOG_CONNECTION, LOG_FORMAT } from './log-schema.ts';
import { type LogStatements, prepareLogStatements } from './log-statements.ts';
import { decoding, namingFile, REBUILD_ADVICE, StoreError } from './store-error.ts';

/** Who this data directory speaks for. */
export interface NodeIdentity {
  readonly node: NodeId;
  /** Random name of this data directory, made once. */
  readonly instance: string;
  /** The cluster it belongs to; null until it has joined one. */
  readonly cluster: string | null;
}

/** What must be on disk together. */
export interface LogBatch {
  /** Replaces whatever the log holds at or behind the first of them; contiguous with what stays. */
  readonly entries: readonly Entry[];
  readonly hardState: HardState | null;
  /**
   * Whether it must be on disk when `write` returns. False only when nothing but `committed` moved: that value then
   * waits in memory for the next synced write, as losing it costs a longer recovery and nothing else.
   */
  readonly sync: boolean;
}

/**
 * log.db. What `write` has taken with `sync` survives a power failure, whole or not at all. The first error is final:
 * SQLite's view of a file whose sync failed cannot be trusted, so every later call throws the same error.
 */
export class LogStore implements LogReader {
  readonly #db: Database.Database;
  readonly #file: string;
  readonly #statements: LogStatements;
  readonly #commit: Database.Transaction<(batch: LogBatch, identity: NodeIdentity | null) => void>;
  #fault: unknown = null;
  #hardState: HardState;
  /** Whether `#hardState` is ahead of the disk, by its commit index only. */
  #unwritten = false;
  #compacted: LogId;
  #lastLog: LogId;

  private constructor(file: string, db: Database.Database) {
    this.#file = file;
    this.#db = db;
    this.#statements = prepareLogStatements(db);
    this.#commit = db.transaction((batch, identity) => this.#writeRows(batch, identity));
    const row = this.#statements.hardState.get();
    if (row === undefined) throw this.#damaged('its hard state is gone');
    const [savedTerm, votedFor, committed, ...compacted] = row;
    this.#hardState = decoding(file, () => ({
      term: term(savedTerm),
      votedFor: votedFor === null ? null : nodeId(votedFor),
      committed: logIndex(committed),
    }));
    this.#compacted = decoding(file, () => logIdFromRow(compacted));
    this.#lastLog = this.#findLastLog();
    if (committed > this.#lastLog.index) throw this.#damaged(`committed entry ${committed} is missing`);
  }

  /** Opens the log and creates it when absent. Holds a lock on the file until it is closed or the process ends. */
  static open(file: string): LogStore {
    const db = openForWriting(file, LOG_FORMAT, LOG_CONNECTION);
    try {
      return namingFile(file, () => new LogStore(file, db));
    } catch (error) {
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

  /** The last entry; equal to `compacted` when there is none. */
  get lastLog(): LogId {
    return this.#lastLog;
  }

  /** Writes one batch in one transaction, with one sync whatever its size. */
  write(batch: LogBatch): void {
    this.#checkBatch(batch);
    if (batch.sync) this.#run(() => this.#commit.immediate(batch, null));
    this.#unwritten = !batch.sync && (this.#unwritten || batch.hardState !== null);
    if (batch.hardState !== null) this.#hardState = batch.hardState;
    this.#lastLog = logIdOfEntry(batch.entries.at(-1)) ?? this.#lastLog;
  }

  /** Writes the first entries of an empty log together with who this node is. */
  initialize(batch: LogBatch, identity: NodeIdentity): void {
    assert(this.#lastLog.index === 0 && this.#hardState.term === 0, 'only an empty log can be initialized');
    this.#checkBatch(batch);
    this.#run(() => this.#commit.immediate(batch, identity));
    this.#hardState = batch.hardState ?? this.#hardState;
    this.#lastLog = logIdOfEntry(batch.entries.at(-1)) ?? this.#lastLog;
  }

  entries(range: { readonly from: LogIndex; readonly to: LogIndex; readonly maxBytes: number }): Entry[] {
    const { from, to, maxBytes } = range;
    assert(from > this.#compacted.index && from < to && to <= this.#lastLog.index + 1, () => {
      return `entries ${from} to ${to} asked of a log of ${this.#compacted.index + 1} to ${this.#lastLog.index}`;
    });
    return this.#run(() => {
      const entries: Entry[] = [];
      let bytes = 0;
      for (const row of this.#statements.entries.iterate(from, to)) {
        const entry = this.#decode(row, from + entries.length);
        bytes += entryBytes(entry);
        if (entries.length > 0 && bytes > maxBytes) return entries;
        entries.push(entry);
      }
      if (entries.length !== to - from) throw this.#damaged(`entry ${from + entries.length} is missing`);
      return entries;
    });
  }

  logId(index: LogIndex): LogId | undefined {
    if (index === this.#lastLog.index && index > this.#compacted.index) return this.#lastLog;
    return this.#run(() => {
      const row = this.#statements.logId.get(index);
      return row && decoding(this.#file, () => logIdFromRow(row));
    });
  }

  /** The membership entries behind `after`, in order. */
  memberships(after: LogIndex): StoredMembership[] {
    return this.#run(() =>
      this.#statements.memberships.all(after).map((row) => {
        const { term, leader, index, payload } = this.#decode(row, row[0]);
        assert(payload.type === 'membership', 'the index holds memberships only');
        return { logId: { term, leader, index }, membership: payload.membership };
      }),
    );
  }

  /** Null until one was saved. */
  identity(): NodeIdentity | null {
    return this.#run(() => {
      const row = this.#statements.identity.get();
      return row === undefined ? null : { ...row, node: decoding(this.#file, () => nodeId(row.node)) };
    });
  }

  /** On disk when it returns. */
  saveIdentity(identity: NodeIdentity): void {
    this.#run(() => this.#commit.immediate({ entries: [], hardState: null, sync: true }, identity));
  }

  /** Writes what waits in memory and gives up the lock. */
  close(): void {
    if (!this.#db.open) return;
    try {
      if (this.#unwritten && this.#fault === null) {
        this.write({ entries: [], hardState: this.#hardState, sync: true });
      }
    } finally {
      this.#db.close();
    }
  }

  #writeRows(batch: LogBatch, identity: NodeIdentity | null): void {
    const first = batch.entries[0];
    if (first !== undefined && first.index <= this.#lastLog.index) this.#statements.truncate.run(first.index);
    for (const entry of batch.entries) this.#statements.append.run(...encodeEntry(entry));
    const hardState = batch.hardState ?? (this.#unwritten ? this.#hardState : null);
    if (hardState !== null) {
      this.#statements.saveHardState.run(hardState.term, hardState.votedFor, hardState.committed);
    }
    if (identity !== null) {
      this.#statements.saveIdentity.run(identity.node, identity.instance, identity.cluster);
    }
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

  /** Also makes sure that the log begins where it should and that its last entry can be read. */
  #findLastLog(): LogId {
    const [first, last] = this.#statements.bounds.get() ?? [null, null];
    if (first === null || last === null) return this.#compacted;
    if (first !== this.#compacted.index + 1) {
      throw this.#damaged(`it begins at entry ${first}, not at ${this.#compacted.index + 1}`);
    }
    const row = this.#statements.entries.get(last, last + 1);
    if (row === undefined) throw this.#damaged(`entry ${last} is missing`);
    const { term, leader, index } = this.#decode(row, last);
    return { term, leader, index };
  }

  #decode(row: EntryRow, expected: number): Entry {
    if (row[0] !== expected) throw this.#damaged(`entry ${expected} is missing`);
    try {
      return decodeEntry(row);
    } catch (error) {
      throw this.#damaged(`entry ${expected} cannot be read`, error);
    }
  }

  #damaged(what: string, cause?: unknown): StoreError {
    return new StoreError('damaged', `${this.#file} is damaged: ${what}; ${REBUILD_ADVICE}`, { cause });
  }

  #run<T>(action: () => T): T {
    if (this.#fault !== null) throw this.#fault;
    try {
      return namingFile(this.#file, action);
    } catch (error) {
      this.#fault = error;
      throw error;
    }
  }
}

function logIdOfEntry(entry: Entry | undefined): LogId | undefined {
  return entry && { term: entry.term, leader: entry.leader, index: entry.index };
}
