import type Database from 'better-sqlite3';

/** What the log takes up. */
export interface LogSize {
  /** Those that are not compacted. */
  readonly entries: number;
  /** What they take up, and those that are compacted and not yet purged; in whole pages. */
  readonly bytes: number;
  /** The file, with the room that is used again; the write-ahead log beside it is not counted. */
  readonly fileBytes: number;
}

/** A few counters in the file's first page: cheap enough to be asked after each batch. */
export function roomOf(db: Database.Database): Pick<LogSize, 'bytes' | 'fileBytes'> {
  const count = (pragma: string) => Number(db.pragma(pragma, { simple: true }));
  const pageBytes = count('page_size');
  const pages = count('page_count');
  return { bytes: (pages - count('freelist_count')) * pageBytes, fileBytes: pages * pageBytes };
}
