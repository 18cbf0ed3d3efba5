import type { ConnectionOptions, FileFormat } from './database.ts';
import { REBUILD_ADVICE } from './store-error.ts';

/** The DDL of one tree: a row for each path with an own value, clustered by the bytes of the UTF-8 path. */
function treeTable(name: string): string {
  return `
    CREATE TABLE ${name} (
      path   TEXT PRIMARY KEY, -- canonical, never the root; BINARY collation is byte order
      -- 1 exactly while there are rows below this one. Stands before the value, which may be long, so that a look at it
      -- reads no overflow pages.
      hidden INTEGER NOT NULL CHECK (hidden IN (0, 1)),
      value  TEXT NOT NULL -- own value
    ) STRICT, WITHOUT ROWID;
  `;
}

/** The replicated state machine: equal rows on every node that has applied the same entries. */
export const STATE_FORMAT: FileFormat = {
  title: "a metad node's state",
  applicationId: 0x6d65_6473,
  version: 2,
  advice: REBUILD_ADVICE,
  ddl: `
    -- The metadata.
    ${treeTable('data')}
    -- The mappings: /ADDRESS/NAME… and the path that it shows.
    ${treeTable('mapping')}
    CREATE TABLE rules (
      host  TEXT PRIMARY KEY, -- the client's address
      rules TEXT NOT NULL     -- its access rules in order: JSON, [[path, mode], …]; [] is a rule set too
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE state (
      id                INTEGER PRIMARY KEY CHECK (id = 1), -- there is one row
      applied_term      INTEGER NOT NULL, -- log id of the last entry applied; all 0: none
      applied_leader    INTEGER NOT NULL,
      applied_index     INTEGER NOT NULL,
      version           INTEGER NOT NULL, -- the client's number: commands that changed something
      digest            BLOB NOT NULL,    -- SHA-256 over the digest before it and the last entry applied
      membership_term   INTEGER NOT NULL, -- log id of the entry that brought the membership; all 0: none
      membership_leader INTEGER NOT NULL,
      membership_index  INTEGER NOT NULL,
      membership        TEXT NOT NULL,    -- the last membership applied: JSON
      feature_level     INTEGER NOT NULL DEFAULT 1 -- what commands may follow, and what they mean
    ) STRICT;
    INSERT INTO state VALUES (1, 0, 0, 0, 0, zeroblob(32), 0, 0, 0, '{"configs":[],"nodes":{}}', 1);
  `,
  upgrades: { 1: 'ALTER TABLE state ADD COLUMN feature_level INTEGER NOT NULL DEFAULT 1' },
};

/** When the write-ahead log is this much longer it is moved. Its pages belong all over the file: many take long. */
export const MAX_STATE_WAL_PAGES = 1_000;

/** How long it may get while a thread moves it. */
export const MAX_THREAD_WAL_PAGES = 8_000;

export const STATE_CONNECTION: ConnectionOptions = {
  // Only somebody's sqlite3 shell can be in the way: the lock on the log keeps other nodes out.
  busyTimeoutMs: 5000,
  pragmas: [
    'journal_mode = WAL',
    // Synced at checkpoints only: what a crash takes, the log replays.
    'synchronous = NORMAL',
    'wal_autocheckpoint = 0',
    'journal_size_limit = 67108864',
    'cache_size = -32768',
  ],
};

export const STATE_READER_CONNECTION: ConnectionOptions = {
  busyTimeoutMs: 5000,
  pragmas: ['query_only = ON', 'cache_size = -32768'],
};
