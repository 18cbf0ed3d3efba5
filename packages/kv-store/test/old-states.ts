import Database from 'better-sqlite3';

/** The tables as earlier releases made them: kept here for ever, as their files are out there. */
function tree(name: string): string {
  return `CREATE TABLE ${name} (
    path TEXT PRIMARY KEY, hidden INTEGER NOT NULL CHECK (hidden IN (0, 1)), value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;`;
}

const TABLES = `
  ${tree('data')} ${tree('mapping')}
  CREATE TABLE rules (host TEXT PRIMARY KEY, rules TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    applied_term INTEGER NOT NULL, applied_leader INTEGER NOT NULL, applied_index INTEGER NOT NULL,
    version INTEGER NOT NULL, digest BLOB NOT NULL,
    membership_term INTEGER NOT NULL, membership_leader INTEGER NOT NULL, membership_index INTEGER NOT NULL,
    membership TEXT NOT NULL
  ) STRICT;
  INSERT INTO state VALUES (1, 1, 1, 2, 2, zeroblob(32), 0, 0, 0, '{"configs":[],"nodes":{}}');
  INSERT INTO data VALUES ('/a', 1, 'hidden'), ('/a/b', 0, 'x');
`;

const FORMAT_2 = 'ALTER TABLE state ADD COLUMN feature_level INTEGER NOT NULL DEFAULT 1;';

/** A state that has applied two entries, at version 2, with the rows `/a` (hidden) and `/a/b`. */
export function createOldState(file: string, format: 1 | 2): void {
  const db = new Database(file);
  db.pragma('application_id = 0x6d656473');
  db.pragma(`user_version = ${format}`);
  db.exec(format === 1 ? TABLES : TABLES + FORMAT_2);
  db.close();
}
