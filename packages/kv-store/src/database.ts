import { assert } from '@metad/raft-core';
import Database from 'better-sqlite3';
import { namingFile, REBUILD_ADVICE, StoreError } from './store-error.ts';

/** What one kind of file holds. */
export interface FileFormat {
  /** For people: what the file is. */
  readonly title: string;
  /** Tells our files apart, and from other programs' (SQLite's `application_id`). */
  readonly applicationId: number;
  /** Grows with every change of `ddl` or of what a column means (SQLite's `user_version`). */
  readonly version: number;
  /** Creates the tables of an empty file, with their first rows. */
  readonly ddl: string;
  /** What to do about a damaged one. */
  readonly advice: string;
  /** What makes each older format the next one, by the older one's number. */
  readonly upgrades: { readonly [version: number]: string };
}

/** How a connection is set up. */
export interface ConnectionOptions {
  /** How long to wait for another connection's lock; 0: not at all. */
  readonly busyTimeoutMs: number;
  /** Run when the file is opened, in this order. */
  readonly pragmas: readonly string[];
}

/** Files up to this size are checked page by page when they are opened; a larger one would delay the start. */
const maxQuickCheckBytes = 64 * 1024 * 1024;

/**
 * Opens a database for writing and creates it when absent. Throws a StoreError that names the file and its trouble.
 */
export function openForWriting(
  file: string,
  format: FileFormat,
  options: ConnectionOptions,
): Database.Database {
  return namingFile(file, () => {
    const db = new Database(file, { timeout: options.busyTimeoutMs });
    try {
      for (const pragma of options.pragmas) db.pragma(pragma);
      db.transaction(() => createOrCheck(db, file, format)).immediate();
      quickCheck(db, file);
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  });
}

/** Opens an existing database for reading only. It never blocks the writer and is never blocked by it. */
export function openForReading(
  file: string,
  format: FileFormat,
  options: ConnectionOptions,
): Database.Database {
  return namingFile(
    file,
    () => {
      const db = new Database(file, { readonly: true, fileMustExist: true, timeout: options.busyTimeoutMs });
      try {
        for (const pragma of options.pragmas) db.pragma(pragma);
        checkFormat(db, file, format);
      } catch (error) {
        db.close();
        throw error;
      }
      return db;
    },
    format.advice,
  );
}

function createOrCheck(db: Database.Database, file: string, format: FileFormat): void {
  const tables = db.prepare<[], number>('SELECT count(*) FROM sqlite_schema').pluck().get();
  if (tables !== 0) {
    checkFormat(db, file, format);
    upgrade(db, format);
    return;
  }
  db.exec(format.ddl);
  db.pragma(`application_id = ${format.applicationId}`);
  db.pragma(`user_version = ${format.version}`);
}

/** Inside the transaction that opens the file: a crash leaves the old format or the new one. */
function upgrade(db: Database.Database, format: FileFormat): void {
  const found = Number(db.pragma('user_version', { simple: true }));
  if (found === format.version) return;
  for (let version = found; version < format.version; version++) {
    const step = format.upgrades[version];
    assert(step !== undefined, () => `no upgrade of ${format.title} from format ${version}`);
    db.exec(step);
  }
  db.pragma(`user_version = ${format.version}`);
}

function checkFormat(db: Database.Database, file: string, format: FileFormat): void {
  if (db.pragma('application_id', { simple: true }) !== format.applicationId) {
    throw new StoreError('damaged', `${file} is not ${format.title}; ${format.advice}`);
  }
  const found = Number(db.pragma('user_version', { simple: true }));
  if (found > format.version) {
    throw new StoreError(
      'newerFormat',
      `${file} has format ${found}, this release reads formats up to ${format.version}: run a newer release`,
    );
  }
  if (found < 1) throw new StoreError('damaged', `${file} has the impossible format ${found}`);
}

function quickCheck(db: Database.Database, file: string): void {
  const pages = Number(db.pragma('page_count', { simple: true }));
  const pageBytes = Number(db.pragma('page_size', { simple: true }));
  if (pages * pageBytes > maxQuickCheckBytes) return;
  const verdict = db.pragma('quick_check(1)', { simple: true });
  if (verdict !== 'ok') throw new StoreError('damaged', `${file} is damaged: ${verdict}; ${REBUILD_ADVICE}`);
}
