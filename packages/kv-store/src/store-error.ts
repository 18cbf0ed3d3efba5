import Database from 'better-sqlite3';

export type StoreErrorCode =
  /** Another process holds the data directory. */
  | 'locked'
  /** A file is corrupt, cut off, or does not belong to the others in its directory. */
  | 'damaged'
  /** A file was written by a newer release. */
  | 'newerFormat'
  /** The disk is full, not writable, or failed. */
  | 'io';

/**
 * A fault of the disk or of what is on it. The node that meets one must stop: what a failed write left behind is not
 * known before the files are opened again.
 */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Runs `action`; an error of SQLite's or the system's comes out as a StoreError that names the file, others as they are. */
export function namingFile<T>(file: string, action: () => T, advice = REBUILD_ADVICE): T {
  try {
    return action();
  } catch (error) {
    throw withFile(file, error, advice);
  }
}

/** `namingFile` for what ends later. */
export async function namingFileAsync<T>(file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw withFile(file, error, REBUILD_ADVICE);
  }
}

function withFile(file: string, error: unknown, advice: string): unknown {
  if (error instanceof Database.SqliteError) {
    return new StoreError(codeOf(error.code), describe(file, error, advice), { cause: error });
  }
  if (isSystemError(error)) {
    const message = withAdvice(`${file}: ${error.message}`, diskAdvice(error.code));
    return new StoreError('io', message, { cause: error });
  }
  return error;
}

/** What Node's own file functions throw. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** Runs `decode`, which makes values of what was read from `file`: whatever it throws means that the file is damaged. */
export function decoding<T>(file: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw new StoreError('damaged', `${file} holds what no release has written; ${REBUILD_ADVICE}`, {
      cause: error,
    });
  }
}

function codeOf(sqliteCode: string): StoreErrorCode {
  if (sqliteCode.startsWith('SQLITE_BUSY') || sqliteCode.startsWith('SQLITE_LOCKED')) return 'locked';
  if (sqliteCode.startsWith('SQLITE_CORRUPT') || sqliteCode === 'SQLITE_NOTADB') return 'damaged';
  return 'io';
}

function describe(file: string, error: InstanceType<typeof Database.SqliteError>, advice: string): string {
  const what = `${file}: ${error.message} (${error.code})`;
  switch (codeOf(error.code)) {
    case 'locked':
      return `${what}: another process is using this data directory`;
    case 'damaged':
      return `${what}: the file is damaged; ${advice}`;
    default:
      return withAdvice(what, diskAdvice(error.code));
  }
}

/** What to do about an error of the disk, by SQLite's or the system's code. */
function diskAdvice(code = ''): string | null {
  if (code === 'SQLITE_FULL' || code === 'ENOSPC') return MAKE_ROOM;
  if (code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_READONLY')) return CHECK_ACCESS;
  return code === 'EIO' || code.startsWith('SQLITE_IOERR') ? CHECK_DISK : null;
}

function withAdvice(what: string, advice: string | null): string {
  return advice === null ? what : `${what}; ${advice}`;
}

const MAKE_ROOM = 'make room on this disk';
const CHECK_ACCESS = 'check that this user may write to that directory';
const CHECK_DISK = 'check this disk: the log of the system says what it has';

/** What to do about a data directory that cannot be trusted any more. */
export const REBUILD_ADVICE =
  'remove this node from the cluster, empty its data directory and add it again, or restore a backup';
