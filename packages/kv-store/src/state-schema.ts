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
      value  TEXT NOT NULL, -- own value
      version INTEGER NOT NULL DEFAULT 0 -- of the write that set it, or that made it show or hide; 0: of no write
    ) STRICT, WITHOUT ROWID;
  `;
}

/** The past: what each version replaced, and which requests must not be applied again. */
const HISTORY_TABLES = `
    CREATE TABLE history (
      version INTEGER PRIMARY KEY,
      time    INTEGER NOT NULL, -- Unix milliseconds
      author  TEXT NOT NULL,
      bytes   INTEGER NOT NULL, -- what the row counts as
      -- JSON, [[kind, path or host, own value or rules before or null], …]; [[kind, path or host], …] where the values
      -- are too large; NULL: these are, too, or nothing is known
      changes TEXT
    ) STRICT;

    CREATE TABLE requests (
      number  INTEGER PRIMARY KEY,  -- in the order in which they were applied
      key     TEXT NOT NULL UNIQUE, -- the idempotency key
      digest  BLOB NOT NULL,        -- SHA-256 of what was asked for
      version INTEGER NOT NULL,     -- right after it
      time    INTEGER NOT NULL      -- Unix milliseconds
    ) STRICT;
`;

/** The replicated state machine: equal rows on every node that has applied the same entries. */
export const STATE_FORMAT: FileFormat = {
  title: "a metad node's state",
  applicationId: 0x6d65_6473,
  version: 3,
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

    ${HISTORY_TABLES}
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
      feature_level     INTEGER NOT NULL DEFAULT 1, -- what commands may follow, and what they mean
      time              INTEGER NOT NULL DEFAULT 0, -- of the last write: Unix milliseconds; never falls
      version_floor     INTEGER NOT NULL DEFAULT 0, -- rows with an older version count as set by this one
      history_start     INTEGER NOT NULL DEFAULT 0  -- the changes after this version are kept
    ) STRICT;
    INSERT INTO state VALUES (1, 0, 0, 0, 0, zeroblob(32), 0, 0, 0, '{"configs":[],"nodes":{}}', 1, 0, 0, 0);
  `,
  upgrades: {
    1: 'ALTER TABLE state ADD COLUMN feature_level INTEGER NOT NULL DEFAULT 1',
    // Nothing is known of how the rows came to be: they count as set by the last command before the first write.
    2: `
      ALTER TABLE data ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE mapping ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE state ADD COLUMN time INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE state ADD COLUMN version_floor INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE state ADD COLUMN history_start INTEGER NOT NULL DEFAULT 0;
      UPDATE state SET version_floor = version, history_start = version;
      ${HISTORY_TABLES}
    `,
  },
};

/**
 * When the write-ahead log is this much longer it is moved. Its pages belong all over the file: many take long, few take
 * often, and of a page that was written several times only the last form is moved.
 */
export const MAX_STATE_WAL_PAGES = 4_000;

/** How long it may get while a thread moves it: 63 MiB. */
export const MAX_THREAD_WAL_PAGES = 16_000;

/**
 * In KiB. A write reads the row that it replaces: the pages of a tree of nearly a million leaves have room. Taken only as
 * the tree grows.
 */
const WRITER_CACHE = 256 * 1024;

/** In KiB. With each write SQLite drops what a reader's connection has kept, so more would hardly help. */
const READER_CACHE = 32 * 1024;

export const STATE_CONNECTION: ConnectionOptions = {
  // Only somebody's sqlite3 shell can be in the way: the lock on the log keeps other nodes out.
  busyTimeoutMs: 5000,
  pragmas: [
    'journal_mode = WAL',
    // Synced at checkpoints only: what a crash takes, the log replays.
    'synchronous = NORMAL',
    'wal_autocheckpoint = 0',
    'journal_size_limit = 67108864',
    `cache_size = -${WRITER_CACHE}`,
  ],
};

export const STATE_READER_CONNECTION: ConnectionOptions = {
  busyTimeoutMs: 5000,
  pragmas: ['query_only = ON', `cache_size = -${READER_CACHE}`],
};
