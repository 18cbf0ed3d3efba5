import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { assert } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import type { WalRow } from './checkpoint.ts';
import { namingFile } from './store-error.ts';

const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const CHUNK_BYTES = 1024 * 1024;

/**
 * Writes what is in a database's write-ahead log over itself, so that the next sync puts all of it on disk. Linux takes
 * a page whose writing failed for one that is on the disk: the process that was told has ended, and to the next one every
 * sync succeeds. `db` has `file` open; no thread may write to it meanwhile.
 */
export function rewriteWal(file: string, db: Database.Database): void {
  const bytes = usedBytes(db);
  if (bytes === 0) return;
  const wal = `${file}-wal`;
  namingFile(wal, () => {
    const handle = openSync(wal, 'r+');
    try {
      rewrite(handle, bytes);
    } finally {
      closeSync(handle);
    }
  });
}

/** What is behind that was there before the log began anew, or is room that it has yet to use. */
function usedBytes(db: Database.Database): number {
  const [row] = db.prepare<[], WalRow>('PRAGMA wal_checkpoint(NOOP)').raw().all();
  const pages = row?.[1] ?? 0;
  const pageBytes = Number(db.pragma('page_size', { simple: true }));
  return pages > 0 ? WAL_HEADER_BYTES + pages * (FRAME_HEADER_BYTES + pageBytes) : 0;
}

function rewrite(handle: number, bytes: number): void {
  const chunk = Buffer.allocUnsafe(Math.min(bytes, CHUNK_BYTES));
  for (let at = 0; at < bytes; ) {
    const read = readSync(handle, chunk, 0, Math.min(chunk.length, bytes - at), at);
    assert(read > 0, 'a write-ahead log holds the pages that SQLite counts');
    for (let done = 0; done < read; ) done += writeSync(handle, chunk, done, read - done, at + done);
    at += read;
  }
}
