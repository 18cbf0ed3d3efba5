import { closeSync, fstatSync, openSync } from 'node:fs';
import { openForReading } from './database.ts';
import { checkPages } from './page-check.ts';
import { SNAPSHOT_FILE, type SnapshotManifest, verifySnapshot } from './snapshot-manifest.ts';
import { isSystemError, StoreError } from './store-error.ts';

/**
 * Checks every byte of a backup or snapshot against its checksum, and every page for what SQLite expects of it. Reads
 * the file whole and blocks the thread. Throws a StoreError that says what is wrong.
 */
export function verifyBackup(file: string): SnapshotManifest {
  expectReadable(file);
  const manifest = verifySnapshot(file);
  const db = openForReading(file, SNAPSHOT_FILE, { busyTimeoutMs: 0, pragmas: [] });
  try {
    checkPages(file, db, SNAPSHOT_FILE.advice);
  } finally {
    db.close();
  }
  return manifest;
}

/** SQLite says of all that it can't open only that it can't. */
function expectReadable(file: string): void {
  const reason = unreadableReason(file);
  if (reason !== null) throw new StoreError('io', `cannot read ${file}: ${reason}`);
}

function unreadableReason(file: string): string | null {
  try {
    const handle = openSync(file, 'r');
    try {
      return fstatSync(handle).isDirectory() ? 'it is a directory, not a backup' : null;
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 'there is no such file' : error.message;
  }
}
