import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isSystemError, namingFile, namingFileAsync, StoreError } from './store-error.ts';

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
  for (const missing of missingLevels(directory)) {
    try {
      makeLevel(missing);
    } catch (error) {
      const reason = refusalReason(missing, error);
      throw new StoreError('io', `cannot create the data directory ${directory}: ${reason}`, {
        cause: error,
      });
    }
  }
}

/** Outermost first. */
function missingLevels(directory: string): string[] {
  const missing: string[] = [];
  // Node's own `recursive` never ends where the system refuses a name as if what is above it were missing, as /proc does.
  for (let level = directory; !isDirectory(level); level = dirname(level)) missing.unshift(level);
  return missing;
}

function makeLevel(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    // Another node that starts may have been quicker.
    if (!isDirectory(directory)) throw error;
  }
  syncDirectory(dirname(directory));
}

function isDirectory(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

function refusalReason(directory: string, error: unknown): string {
  if (!isSystemError(error)) return String(error);
  if (error.code === 'EEXIST') return `${directory} is no directory`;
  return error.code === 'ENOENT' ? `there can be no directory in ${dirname(directory)}` : error.message;
}
