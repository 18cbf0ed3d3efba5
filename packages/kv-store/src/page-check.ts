import type Database from 'better-sqlite3';
import { namingFile, REBUILD_ADVICE, StoreError } from './store-error.ts';

/** Reads a whole database. Throws a StoreError unless its pages, rows and indexes are what SQLite expects. */
export function checkPages(file: string, db: Database.Database, advice = REBUILD_ADVICE): void {
  const verdict = namingFile(file, () => db.pragma('integrity_check(1)', { simple: true }), advice);
  if (verdict !== 'ok') throw new StoreError('damaged', `${file} is damaged: ${verdict}; ${advice}`);
}
