import { openForReading } from './database.ts';
import { checkPages } from './page-check.ts';
import { SNAPSHOT_FILE, type SnapshotManifest, verifySnapshot } from './snapshot-manifest.ts';

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
