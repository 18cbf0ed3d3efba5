import { copyFileSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { logIndex, type Membership, term } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import { verifyBackup } from './backup.ts';
import { openForWriting } from './database.ts';
import { createDirectory, syncDirectory, syncFile } from './durable-file.ts';
import { HISTORY_LIMITS, HistoryTable } from './history-table.ts';
import { LogStore } from './log-store.ts';
import type { NodeIdentity } from './node-identity.ts';
import {
  decodePosition,
  encodePosition,
  type Position,
  type PositionRow,
  READ_POSITION,
  SAVE_POSITION,
} from './position.ts';
import { DROP_MANIFEST, type SnapshotManifest } from './snapshot-manifest.ts';
import { stateFileName } from './state-files.ts';
import { STATE_FORMAT } from './state-schema.ts';
import { decoding, namingFile, StoreError } from './store-error.ts';
import { type Version, version } from './version.ts';

export interface RestorePlan {
  readonly backup: string;
  /** Absent or empty. */
  readonly dataDir: string;
  /** Of the new cluster; its first voter is this node. */
  readonly membership: Membership;
  /** With a new cluster id: nodes and clients of the old cluster must not meet this one. */
  readonly identity: NodeIdentity;
}

/**
 * A client may have seen any version that the old cluster made after the backup. A new one begins at the next multiple
 * of this: nobody writes so often between a backup and its use, and there is room for thousands of restores.
 */
export const VERSION_STEP = 2 ** 40;

/** The version of a restored state: beyond all that were handed out before. */
export function versionAfterRestore(before: Version): Version {
  return version((Math.floor(before / VERSION_STEP) + 1) * VERSION_STEP);
}

/**
 * Makes a data directory that begins a new cluster with the rows of a backup. The log's first entry counts as
 * compacted, so that every node that is added later gets the rows as a snapshot. Blocks the thread.
 *
 * A crash leaves a directory that `Store.open` refuses; empty it and begin again. Throws a StoreError: `damaged` or
 * `newerFormat` for the backup, `io`, also when the directory is not empty.
 */
export function restoreBackup(plan: RestorePlan): {
  readonly backup: SnapshotManifest;
  readonly version: Version;
} {
  const dataDir = resolve(plan.dataDir);
  const backup = verifyBackup(plan.backup);
  createDirectory(dataDir);
  const found = namingFile(dataDir, () => readdirSync(dataDir));
  if (found.length > 0) {
    throw new StoreError('io', `${dataDir} is not empty (${found[0]}): a restore replaces no data`);
  }
  const stateGeneration = 2;
  const position = writeState(join(dataDir, stateFileName(stateGeneration)), plan);
  const log = LogStore.open(join(dataDir, 'log.db'));
  try {
    const { applied } = position;
    const hardState = { term: applied.term, votedFor: applied.leader, committed: applied.index };
    const batch = { entries: [], hardState, sync: true };
    log.restore(batch, { last: applied, stateGeneration }, plan.identity);
  } finally {
    log.close();
  }
  return { backup, version: position.version };
}

/** Copies the rows and gives them the position of a new cluster's first entry. It gets its name when it is on disk. */
function writeState(stateFile: string, plan: RestorePlan): Position {
  const part = `${stateFile}.part`;
  namingFile(part, () => copyFileSync(plan.backup, part));
  const db = openForWriting(part, STATE_FORMAT, RESTORE_CONNECTION);
  let position: Position;
  try {
    position = namingFile(part, () => beginAnew(db, plan));
  } finally {
    db.close();
  }
  syncFile(part);
  namingFile(stateFile, () => renameSync(part, stateFile));
  syncDirectory(dirname(stateFile));
  return position;
}

/** Nobody relies on the file before it is synced as a whole. */
const RESTORE_CONNECTION = { busyTimeoutMs: 0, pragmas: ['journal_mode = OFF', 'synchronous = OFF'] };

/** Who made the first version after a restore, as the history tells it. */
const RESTORED = 'restored from a backup';

function beginAnew(db: Database.Database, { backup, membership, identity }: RestorePlan): Position {
  db.exec(DROP_MANIFEST);
  const row = db.prepare<[], PositionRow>(READ_POSITION).raw().get();
  if (row === undefined) throw new StoreError('damaged', `${backup} has lost its position`);
  const before = decoding(backup, () => decodePosition(row));
  const applied = { term: term(1), leader: identity.node, index: logIndex(1) };
  const next = versionAfterRestore(before.version);
  const history = new HistoryTable(db, HISTORY_LIMITS);
  const trimmed = history.add({ version: next, time: before.time, author: RESTORED, changes: null });
  const position = {
    ...before,
    applied,
    version: next,
    membership: { logId: applied, membership },
    // What a client saw of the old cluster after the backup may be anything.
    versionFloor: next,
    historyStart: trimmed ?? before.historyStart,
  };
  db.prepare<PositionRow>(SAVE_POSITION).run(...encodePosition(position));
  return position;
}
