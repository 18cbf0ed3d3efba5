import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { namingFile, namingFileAsync, StoreError } from './store-error.ts';

/**
 * Puts on disk what was written to a file. Not for a main file of SQLite's that this process has open: closing any
 * handle of such a file gives up this process's locks on it. Its write-ahead log carries no locks.
 */
export function syncFile(file: string): void {
  namingFile(file, () => {
    const handle = openSync(file, 'r');
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  });
}

/** `syncFile` without holding up the thread. */
export function syncFileAsync(file: string): Promise<void> {
  return namingFileAsync(file, async () => {
    const handle = await open(file, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

/** Puts on disk which names a directory holds. */
export const syncDirectory = syncFile;

/** What SQLite keeps beside a database file. Found next to another main file, it would be taken for a part of that. */
const SIDE_FILES = ['', '-wal', '-shm', '-journal'];

/** Removes a database and all that SQLite keeps beside it, whatever of it is there. */
export function removeDatabase(file: string): void {
  namingFile(file, () => {
    for (const suffix of SIDE_FILES) rmSync(file + suffix, { force: true });
  });
}

/** Removes what SQLite keeps beside a database file. */
export function removeSideFiles(file: string): void {
  namingFile(file, () => {
    for (const suffix of SIDE_FILES.slice(1)) rmSync(file + suffix, { force: true });
  });
}

/** The main files in a directory that have one of SQLite's files beside them, or are there themselves. */
export function databasesIn(directory: string): string[] {
  return namingFile(directory, () => {
    const names = readdirSync(directory).map((name) => name.replace(/-(wal|shm|journal)$/, ''));
    return [...new Set(names)].map((name) => join(directory, name));
  });
}

/** Makes the directory, for this user only, and what is missing above it; makes their names durable. */
export function createDirectory(directory: string): void {
  try {
    const first = mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    for (let made = directory; made !== dirname(first); made = dirname(made)) syncDirectory(dirname(made));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreError('io', `cannot create the data directory ${directory}: ${reason}`, { cause: error });
  }
}
