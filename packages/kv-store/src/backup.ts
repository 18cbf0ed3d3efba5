import { existsSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { openForReading } from './database.ts';
import { removeDatabase, syncDirectory } from './durable-file.ts';
import { checkPages } from './page-check.ts';
import { buildSnapshot, type SnapshotPlan } from './snapshot-file.ts';
import { SNAPSHOT_FILE, type SnapshotManifest, verifySnapshot } from './snapshot-manifest.ts';
import { namingFile, StoreError } from './store-error.ts';

/**
 * Writes a snapshot of a state, which its node may go on writing, to a file of its own: whole and on disk, or not at
 * all. Blocks the thread. Throws a StoreError: `io` also when the file is there already.
 */
export function writeBackup(plan: SnapshotPlan): SnapshotManifest {
  const { to } = plan;
  if (existsSync(to)) throw new StoreError('io', `${to} is there already: a backup replaces no file`);
  const part = `${to}.part`;
  try {
    const manifest = buildSnapshot({ ...plan, to: part });
    namingFile(to, () => renameSync(part, to));
    syncDirectory(dirname(to));
    return manifest;
  } catch (error) {
    removeDatabase(part);
    throw error;
  }
}

/**
 * Checks every byte of a backup or snapshot against its checksum, and every page for what SQLite expects of it. Reads
 * the file whole and blocks the thread. Throws a StoreError that says what is wrong.
 */
export function verifyBackup(file: string): SnapshotManifest {
  const manifest = verifySnapshot(file);
  const db = openForReading(file, SNAPSHOT_FILE, { busyTimeoutMs: 0, pragmas: [] });
  try {
    checkPages(file, db, SNAPSHOT_FILE.advice);
  } finally {
    db.close();
  }
  return manifest;
}
