import {
  assert,
  type Entry,
  entryBytes,
  type HardState,
  type LogId,
  type LogIndex,
  logIndex,
  nodeId,
  type StoredMembership,
  term,
} from '@metad/raft-core';
import { decodeEntry, type EntryRow } from './entry-codec.ts';
import { logIdFromRow } from './log-id-row.ts';
import type { LogStatements } from './log-statements.ts';
import type { NodeIdentity } from './node-identity.ts';
import { decoding, REBUILD_ADVICE, StoreError } from './store-error.ts';

/** The reading side of log.db: what it returns was checked, and what it cannot make sense of is a damaged file. */
export class LogRows {
  readonly #file: string;
  readonly #statements: LogStatements;

  constructor(file: string, statements: LogStatements) {
    this.#file = file;
    this.#statements = statements;
  }

  hardState(): { readonly hardState: HardState; readonly compacted: LogId } {
    const row = this.#statements.hardState.get();
    if (row === undefined) throw damagedLog(this.#file, 'its hard state is gone');
    const [savedTerm, votedFor, committed, ...compacted] = row;
    return decoding(this.#file, () => ({
      hardState: {
        term: term(savedTerm),
        votedFor: votedFor === null ? null : nodeId(votedFor),
        committed: logIndex(committed),
      },
      compacted: logIdFromRow(compacted),
    }));
  }

  stateGeneration(): number {
    const generation = this.#statements.stateGeneration.get();
    if (generation !== undefined && generation >= 1) return generation;
    throw damagedLog(this.#file, 'it does not say which file is the state');
  }

  /** The last entry; also makes sure that the log begins where it should and that its last entry can be read. */
  lastLog(compacted: LogId): LogId {
    const [first, last] = this.#statements.bounds.get() ?? [null, null];
    const begin = compacted.index + 1;
    if (first === null || last === null || last < begin) return compacted;
    if (first > begin) throw damagedLog(this.#file, `it begins at entry ${first}, not at ${begin}`);
    if (this.#statements.logId.get(begin) === undefined) throw this.#missing(begin);
    const row = this.#statements.entries.get(last, last + 1);
    if (row === undefined) throw this.#missing(last);
    const { term, leader, index } = this.#decode(row, last);
    return { term, leader, index };
  }

  /** See LogReader: all of the range is in the log. */
  entries(range: { readonly from: LogIndex; readonly to: LogIndex; readonly maxBytes: number }): Entry[] {
    const { from, to, maxBytes } = range;
    const entries: Entry[] = [];
    let bytes = 0;
    for (const row of this.#statements.entries.iterate(from, to)) {
      const entry = this.#decode(row, from + entries.length);
      bytes += entryBytes(entry);
      if (entries.length > 0 && bytes > maxBytes) return entries;
      entries.push(entry);
    }
    if (entries.length !== to - from) throw this.#missing(from + entries.length);
    return entries;
  }

  logId(index: LogIndex): LogId | undefined {
    const row = this.#statements.logId.get(index);
    return row && decoding(this.#file, () => logIdFromRow(row));
  }

  memberships(after: LogIndex): StoredMembership[] {
    return this.#statements.memberships.all(after).map((row) => {
      const { term, leader, index, payload } = this.#decode(row, row[0]);
      assert(payload.type === 'membership', 'the index holds memberships only');
      return { logId: { term, leader, index }, membership: payload.membership };
    });
  }

  identity(): NodeIdentity | null {
    const row = this.#statements.identity.get();
    return row === undefined ? null : { ...row, node: decoding(this.#file, () => nodeId(row.node)) };
  }

  #decode(row: EntryRow, expected: number): Entry {
    if (row[0] !== expected) throw this.#missing(expected);
    try {
      return decodeEntry(row);
    } catch (error) {
      throw damagedLog(this.#file, `entry ${expected} cannot be read`, error);
    }
  }

  #missing(index: number): StoreError {
    return damagedLog(this.#file, `entry ${index} is missing`);
  }
}

export function damagedLog(file: string, what: string, cause?: unknown): StoreError {
  return new StoreError('damaged', `${file} is damaged: ${what}; ${REBUILD_ADVICE}`, { cause });
}
