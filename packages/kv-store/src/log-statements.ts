import type Database from 'better-sqlite3';
import type { EntryRow } from './entry-codec.ts';
import type { LogIdRow } from './log-id-row.ts';

type HardStateRow = readonly [
  term: number,
  votedFor: number | null,
  committed: number,
  ...compacted: LogIdRow,
];

/** Every statement that runs on log.db. */
export interface LogStatements {
  readonly hardState: Database.Statement<[], HardStateRow>;
  readonly saveHardState: Database.Statement<[term: number, votedFor: number | null, committed: number]>;
  /** The first and the last index; nulls when there is no entry. */
  readonly bounds: Database.Statement<[], readonly [first: number | null, last: number | null]>;
  readonly entries: Database.Statement<[from: number, to: number], EntryRow>;
  readonly logId: Database.Statement<[idx: number], LogIdRow>;
  readonly memberships: Database.Statement<[after: number], EntryRow>;
  /** Index and payload size of the first rows up to an index. */
  readonly firstRows: Database.Statement<
    [upTo: number, limit: number],
    readonly [idx: number, bytes: number]
  >;
  readonly purge: Database.Statement<[upTo: number]>;
  readonly saveCompacted: Database.Statement<[...LogIdRow]>;
  readonly stateGeneration: Database.Statement<[], number>;
  readonly saveStateGeneration: Database.Statement<[generation: number]>;
  readonly truncate: Database.Statement<[from: number]>;
  readonly append: Database.Statement<[...EntryRow]>;
  readonly identity: Database.Statement<[], { node: number; instance: string; cluster: string | null }>;
  readonly saveIdentity: Database.Statement<[node: number, instance: string, cluster: string | null]>;
}

export function prepareLogStatements(db: Database.Database): LogStatements {
  const columns = 'idx, term, leader, type, payload, checksum';
  const rows = `SELECT ${columns} FROM entry`;
  return {
    hardState: db
      .prepare<[], HardStateRow>(
        `SELECT term, voted_for, committed, compacted_term, compacted_leader, compacted_index FROM hard_state`,
      )
      .raw(),
    saveHardState: db.prepare('UPDATE hard_state SET term = ?, voted_for = ?, committed = ?'),
    bounds: db
      .prepare<[], [number | null, number | null]>(
        'SELECT (SELECT min(idx) FROM entry), (SELECT max(idx) FROM entry)',
      )
      .raw(),
    entries: db
      .prepare<[from: number, to: number], EntryRow>(`${rows} WHERE idx >= ? AND idx < ? ORDER BY idx`)
      .raw(),
    logId: db.prepare<[idx: number], LogIdRow>('SELECT term, leader, idx FROM entry WHERE idx = ?').raw(),
    memberships: db
      .prepare<[after: number], EntryRow>(
        `${rows} INDEXED BY entry_membership WHERE type = 2 AND idx > ? ORDER BY idx`,
      )
      .raw(),
    firstRows: db
      .prepare<[upTo: number, limit: number], readonly [idx: number, bytes: number]>(
        'SELECT idx, length(payload) FROM entry WHERE idx <= ? ORDER BY idx LIMIT ?',
      )
      .raw(),
    purge: db.prepare('DELETE FROM entry WHERE idx <= ?'),
    saveCompacted: db.prepare(
      'UPDATE hard_state SET compacted_term = ?, compacted_leader = ?, compacted_index = ?',
    ),
    stateGeneration: db.prepare<[], number>('SELECT generation FROM state_file').pluck(),
    saveStateGeneration: db.prepare('UPDATE state_file SET generation = ?'),
    truncate: db.prepare('DELETE FROM entry WHERE idx >= ?'),
    append: db.prepare(`INSERT INTO entry (${columns}) VALUES (?, ?, ?, ?, ?, ?)`),
    identity: db.prepare('SELECT node, instance, cluster FROM identity'),
    saveIdentity: db.prepare(
      'INSERT OR REPLACE INTO identity (id, node, instance, cluster) VALUES (1, ?, ?, ?)',
    ),
  };
}
