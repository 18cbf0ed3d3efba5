import type { ConnectionOptions, FileFormat } from './database.ts';
import { REBUILD_ADVICE } from './store-error.ts';

/** Which file holds the state: see state-files.ts. */
const STATE_FILE_TABLE = `
  CREATE TABLE state_file (
    id         INTEGER PRIMARY KEY CHECK (id = 1), -- there is one row
    generation INTEGER NOT NULL -- 1: state.db; n: state-n.db; every snapshot installed begins a new one
  ) STRICT;
  INSERT INTO state_file VALUES (1, 1);
`;

/** The Raft log and hard state of one node. */
export const LOG_FORMAT: FileFormat = {
  title: "a metad node's log",
  applicationId: 0x6d65_646c,
  version: 2,
  advice: REBUILD_ADVICE,
  ddl: `
    CREATE TABLE entry (
      idx      INTEGER PRIMARY KEY, -- log index; contiguous behind compacted_index, what is before it waits for removal
      term     INTEGER NOT NULL,    -- term in which it was appended; never decreases with idx
      leader   INTEGER NOT NULL,    -- leader of that term
      type     INTEGER NOT NULL,    -- 0 blank, 1 command, 2 membership
      payload  BLOB NOT NULL,       -- command: the bytes proposed; membership: JSON; blank: empty
      checksum INTEGER NOT NULL     -- CRC-32 over all of the above
    ) STRICT;

    -- Finds the memberships behind an index without reading the commands between them.
    CREATE INDEX entry_membership ON entry (idx) WHERE type = 2;

    CREATE TABLE hard_state (
      id               INTEGER PRIMARY KEY CHECK (id = 1), -- there is one row
      term             INTEGER NOT NULL, -- current term
      voted_for        INTEGER,          -- whom this node voted for in that term; NULL: nobody yet
      committed        INTEGER NOT NULL, -- commit index when the row was written; the true one may be higher
      compacted_term   INTEGER NOT NULL, -- log id of the last entry that is gone: the state has it durably; all 0: none
      compacted_leader INTEGER NOT NULL,
      compacted_index  INTEGER NOT NULL
    ) STRICT;
    INSERT INTO hard_state VALUES (1, 0, NULL, 0, 0, 0, 0);

    CREATE TABLE identity (
      id       INTEGER PRIMARY KEY CHECK (id = 1), -- there is at most one row; none until the node knows who it is
      node     INTEGER NOT NULL, -- node id
      instance TEXT NOT NULL,    -- random name of this data directory
      cluster  TEXT              -- cluster id; NULL until the node has joined one
    ) STRICT;

    ${STATE_FILE_TABLE}
  `,
  upgrades: { 1: STATE_FILE_TABLE },
};

/**
 * The write that makes the write-ahead log longer than this moves it: some tens of milliseconds, a heartbeat must fit
 * between. Entries are moved in order, so a longer log makes it rarer, and not much longer.
 */
export const MAX_LOG_WAL_PAGES = 4_000;

/** What the write-ahead log grows to: a page and its header each, and the write that crosses the limit. */
export const RESERVED_WAL_BYTES = MAX_LOG_WAL_PAGES * (4096 + 24) + 1024 * 1024;

/** So far the commit index on disk may fall behind: a restart applies these entries once a leader has spoken. */
export const MAX_UNSAVED_COMMITS = 64;

export const LOG_CONNECTION: ConnectionOptions = {
  // Whoever else has it is another node: it will not let go.
  busyTimeoutMs: 0,
  pragmas: [
    // Before the first access of the WAL: its index then lives in this process's memory, and the lock dies with it.
    'locking_mode = EXCLUSIVE',
    'journal_mode = WAL',
    // The log store syncs the write-ahead log itself, as it can do so beside other work; SQLite syncs both files around
    // its checkpoints. Said outright: what SQLite defaults to depends on its build.
    'synchronous = NORMAL',
    // SQLite's own checkpoints hide their errors: see checkpoint.ts.
    'wal_autocheckpoint = 0',
    'journal_size_limit = 33554432',
  ],
};
