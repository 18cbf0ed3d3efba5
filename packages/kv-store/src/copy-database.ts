import { closeSync, fstatSync, fsyncSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { FileFormat } from './database.ts';

/** How much may be written before it is synced: one sync of all of it would hold up everybody else's for long. */
const maxUnsyncedBytes = 4 * 1024 * 1024;

/** Rows copied between two looks at how much was written. */
const chunkRows = 500;

/** Nobody relies on the copy before it is whole, and it is written by nobody else. */
const TARGET_PRAGMAS = ['journal_mode = OFF', 'synchronous = OFF', 'cache_size = -2048'];

/**
 * Copies all rows of a database into a new file, in the order of their keys and without what is free, in one read
 * transaction. Tables named in `without` are left out. Throws what SQLite and fs do.
 */
export function copyDatabase(plan: {
  readonly from: string;
  readonly to: string;
  readonly format: FileFormat;
  readonly without: string;
  /** Called after each part. */
  readonly rest: () => void;
}): void {
  // Made here for its mode: what is in it is for this user only.
  const handle = openSync(plan.to, 'wx', 0o600);
  const db = new Database(plan.to);
  try {
    for (const pragma of TARGET_PRAGMAS) db.pragma(pragma);
    db.pragma(`application_id = ${plan.format.applicationId}`);
    db.pragma(`user_version = ${plan.format.version}`);
    db.prepare('ATTACH ? AS source').run(plan.from);
    const sync = gradualSync(handle);
    db.transaction(() => {
      for (const { name, sql } of tablesOf(db, plan.without)) {
        db.exec(sql);
        copyTable(db, name, () => {
          sync();
          plan.rest();
        });
      }
    })();
  } finally {
    db.close();
    closeSync(handle);
  }
}

/** Every table has a key of one column; indexes besides it come with the table, by UNIQUE. */
function tablesOf(db: Database.Database, without: string) {
  return db
    .prepare<[string], { readonly name: string; readonly sql: string }>(
      "SELECT name, sql FROM source.sqlite_schema WHERE type = 'table' AND name <> ? ORDER BY name",
    )
    .all(without);
}

function copyTable(db: Database.Database, table: string, afterEach: () => void): void {
  const key = db
    .prepare<[string], string>('SELECT name FROM pragma_table_info(?) WHERE pk = 1')
    .pluck()
    .get(table);
  const rows = `INSERT INTO main.${table} SELECT * FROM source.${table}`;
  const first = db.prepare(`${rows} ORDER BY ${key} LIMIT ${chunkRows}`);
  const next = db.prepare(
    `${rows} WHERE ${key} > (SELECT max(${key}) FROM main.${table}) ORDER BY ${key} LIMIT ${chunkRows}`,
  );
  let copied = first.run();
  while (copied.changes === chunkRows) {
    afterEach();
    copied = next.run();
  }
}

/** Syncs the file whenever it has grown by enough. */
function gradualSync(handle: number): () => void {
  let syncedBytes = 0;
  return () => {
    const { size } = fstatSync(handle);
    if (size - syncedBytes < maxUnsyncedBytes) return;
    fsyncSync(handle);
    syncedBytes = size;
  };
}
