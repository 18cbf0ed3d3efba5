import { dirname } from 'node:path';
import { assert, type Entry, type LogId, type StoredMembership, ZERO_LOG_ID } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import type { AppliedBatch, Change } from './change.ts';
import { Checkpoints } from './checkpoint.ts';
import { type CheckpointOutcome, CheckpointThread } from './checkpoint-thread.ts';
import type { Command, WriteResult } from './command.ts';
import { CommandApplier, STATE_LIMITS, type StateLimits } from './command-applier.ts';
import { decodeCommand } from './command-codec.ts';
import { CommandFormatError } from './command-fields.ts';
import { openForWriting } from './database.ts';
import { DatabaseSize } from './database-size.ts';
import { syncFile, syncFileAsync } from './durable-file.ts';
import { FirstError } from './first-error.ts';
import { checkKnownLevel, UPGRADE_ADVICE } from './known-level.ts';
import { checkPages } from './page-check.ts';
import {
  decodePosition,
  type Effect,
  encodePosition,
  follow,
  type Position,
  type PositionRow,
  READ_POSITION,
  SAVE_POSITION,
} from './position.ts';
import { rewriteWal } from './rewrite-wal.ts';
import { DROP_MANIFEST } from './snapshot-manifest.ts';
import { MAX_STATE_WAL_PAGES, MAX_THREAD_WAL_PAGES, STATE_CONNECTION, STATE_FORMAT } from './state-schema.ts';
import { decoding, namingFile, REBUILD_ADVICE, StoreError } from './store-error.ts';
import type { Version } from './version.ts';

export interface AppliedEntries {
  /** What the readers of this node are told. */
  readonly batch: AppliedBatch;
  /** What became of each entry. */
  readonly results: readonly WriteResult[];
}

/**
 * state.db: what the committed entries make. Same entries, same rows, same digest on every node: nothing here looks at
 * a clock, at chance or at a locale. A crash may lose the newest batches, never a part of one; the log replays them.
 */
export class StateMachine {
  readonly #db: Database.Database;
  readonly #file: string;
  readonly #commands: CommandApplier;
  readonly #savePosition: Database.Statement<PositionRow>;
  readonly #applyAll: Database.Transaction<(entries: readonly Entry[]) => [Position, AppliedEntries]>;
  readonly #checkpoints: Checkpoints;
  readonly #size: DatabaseSize;
  #thread: CheckpointThread | null = null;
  #position: Position;
  /** What no crash takes any more. Zero at first: what the last process left may not be on the disk. */
  #durable: LogId = ZERO_LOG_ID;
  readonly #firstError: FirstError;

  private constructor(file: string, db: Database.Database, limits: StateLimits) {
    this.#file = file;
    this.#firstError = new FirstError(file);
    this.#db = db;
    this.#commands = new CommandApplier(db, limits);
    this.#checkpoints = new Checkpoints(db);
    this.#size = new DatabaseSize(db);
    this.#savePosition = db.prepare(SAVE_POSITION);
    this.#applyAll = db.transaction((entries) => this.#applyRows(entries));
    const row = db.prepare<[], PositionRow>(READ_POSITION).raw().get();
    if (row === undefined) {
      throw new StoreError('damaged', `${file} has lost its position; ${REBUILD_ADVICE}`);
    }
    this.#position = decoding(file, () => decodePosition(row));
    checkKnownLevel(this.featureLevel, `${file} has`, UPGRADE_ADVICE);
  }

  /**
   * Opens the state and creates it when absent. The data directory must be held already, by its log. A snapshot becomes
   * a state by it. Other limits are for tests. Throws a StoreError: `newerFormat` also for a feature level that this release does not know.
   */
  static open(file: string, limits = STATE_LIMITS): StateMachine {
    const db = openForWriting(file, STATE_FORMAT, STATE_CONNECTION);
    try {
      namingFile(file, () => db.exec(DROP_MANIFEST));
      rewriteWal(file, db);
      return namingFile(file, () => new StateMachine(file, db, limits));
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** The last entry applied. */
  get applied(): LogId {
    return this.#position.applied;
  }

  /** The last entry applied that no crash takes any more. Behind it the log is still needed. */
  get durable(): LogId {
    return this.#durable;
  }

  get version(): Version {
    return this.#position.version;
  }

  /** The last membership applied. */
  get membership(): StoredMembership {
    return this.#position.membership;
  }

  /** What the commands that follow may be, and what they mean: equal on all nodes at one entry. It never falls. */
  get featureLevel(): number {
    return this.#position.featureLevel;
  }

  /** Hex; equal on any two nodes that have applied the same entries. */
  get digest(): string {
    return this.#position.digest.toString('hex');
  }

  /**
   * What the rows take of the file: pages in use, not those that deletions have freed for others, nor what the history
   * takes, which has limits of its own and which deletions make longer. Nodes with equal rows may differ a little, as
   * pages fill up in the order of the writes.
   */
  get bytes(): number {
    return Math.max(this.#size.usedBytes(this.applied.index) - this.#commands.pastBytes, 0);
  }

  /** Whether a request was applied under that key, so that another one, proposed at `now`, would change nothing. */
  hasRequest(idempotencyKey: string, now: number): boolean {
    return this.#firstError.run(() => this.#commands.hasRequest(idempotencyKey, now, this.#position));
  }

  /**
   * Applies entries, the first of which follows `applied`, in one transaction. Throws a StoreError that names the
   * entry when one holds a command that this release cannot read, or raises the feature level beyond what it knows:
   * skipping it would split the cluster.
   */
  apply(entries: readonly Entry[]): AppliedEntries {
    return this.#firstError.run(() => {
      const [position, result] = this.#applyAll.immediate(entries);
      this.#position = position;
      this.#checkpointIfLong();
      return result;
    });
  }

  /** Puts on disk what is applied. */
  makeDurable(): void {
    const { applied } = this;
    this.#firstError.run(() => {
      for (const file of this.#filesToSync()) syncFile(file);
    });
    this.#durable = applied;
  }

  /** `makeDurable` without holding up the thread; what is applied meanwhile may be left out. */
  async makeDurableAsync(): Promise<void> {
    const { applied } = this;
    await this.#firstError.runAsync(async () => {
      for (const file of this.#filesToSync()) await syncFileAsync(file);
    });
    if (applied.index > this.#durable.index) this.#durable = applied;
  }

  /** Moves the write-ahead log into the file if it is longer than that: a quiet moment is better than a batch. */
  checkpointBeyond(pages: number): void {
    this.#firstError.run(() => this.#checkpoints.runBeyond(pages));
  }

  /** Reads the whole file. Throws a StoreError unless it is what SQLite expects. */
  checkPages(): void {
    checkPages(this.#file, this.#db);
  }

  /**
   * Moves the write-ahead log in a thread of its own from now on. Its error is thrown by the next call. Without it the
   * batch that makes the log too long does so.
   */
  startCheckpoints(): void {
    this.#thread ??= new CheckpointThread(this.#file, (outcome) => this.#afterCheckpoint(outcome));
  }

  close(): void {
    this.#thread?.close();
    this.#db.close();
  }

  #checkpointIfLong(): void {
    const thread = this.#thread;
    if (thread === null) this.#checkpoints.runBeyond(MAX_STATE_WAL_PAGES);
    else if (!thread.isBusy && this.#checkpoints.waitingPages >= MAX_STATE_WAL_PAGES) thread.run();
  }

  /**
   * Under endless writes only the writer can move the last pages, so that the log begins again. That is quick when the
   * thread has just put all others on disk; otherwise it waits for that, until the log gets much too long.
   */
  #afterCheckpoint(outcome: CheckpointOutcome): void {
    if (!this.#db.open) return;
    this.#checkpoints.noteAttempt();
    if (outcome.type === 'failed') {
      this.#firstError.note(outcome.error);
      return;
    }
    const limit = outcome.complete ? MAX_THREAD_WAL_PAGES : 4 * MAX_THREAD_WAL_PAGES;
    try {
      if (this.#checkpoints.pages >= limit) this.#firstError.run(() => this.#checkpoints.run());
    } catch (error) {
      this.#firstError.note(error);
    }
  }

  /**
   * The write-ahead log holds all that was applied since the last checkpoint, and SQLite syncs the file before it begins
   * that log again. The directory has the names of both.
   */
  #filesToSync(): readonly string[] {
    return [`${this.#file}-wal`, dirname(this.#file)];
  }

  #applyRows(entries: readonly Entry[]): [Position, AppliedEntries] {
    const changes: Change[] = [];
    const results: WriteResult[] = [];
    let position = this.#position;
    for (const entry of entries) {
      const effect = this.#applyPayload(entry, position);
      changes.push(...effect.changes);
      results.push(effect.result);
      position = follow(position, entry, effect.moves);
    }
    this.#savePosition.run(...encodePosition(position));
    const { applied } = position;
    return [position, { batch: { applied, version: position.version, changes }, results }];
  }

  #applyPayload(entry: Entry, before: Position): Effect {
    assert(
      entry.index === before.applied.index + 1,
      () => `entry ${entry.index} after ${before.applied.index}`,
    );
    assert(entry.term >= before.applied.term, 'terms never decrease along the log');
    if (entry.payload.type !== 'command') {
      return { result: { type: 'applied', version: before.version }, changes: [], moves: {} };
    }
    const command = readCommand(entry, entry.payload.data);
    if (command.type === 'setFeatureLevel') {
      const what = `${this.#file}: entry ${entry.index} of term ${entry.term} raises the cluster to`;
      checkKnownLevel(command.level, what, UPGRADE_ADVICE);
    }
    return this.#commands.apply(command, before);
  }
}

function readCommand(entry: Entry, bytes: Uint8Array): Command {
  try {
    return decodeCommand(bytes);
  } catch (error) {
    if (!(error instanceof CommandFormatError)) throw error;
    const what = `entry ${entry.index} of term ${entry.term} holds a command that cannot be read: ${error.message}`;
    throw new StoreError('damaged', `${what}; run the release that wrote it`, { cause: error });
  }
}
