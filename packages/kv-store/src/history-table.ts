import { assert } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import type { Version } from './version.ts';

/** How much of the past is kept. The same on every node, or their rows would differ. */
export interface HistoryLimits {
  readonly maxVersions: number;
  readonly maxBytes: number;
  /** A version whose changes take more is kept without the values, and if that is still more, without their names. */
  readonly maxVersionBytes: number;
}

export const HISTORY_LIMITS: HistoryLimits = {
  maxVersions: 50_000,
  maxBytes: 16 * 1024 * 1024,
  maxVersionBytes: 1024 * 1024,
};

/** What trimming takes beyond what is over the limits, so that it is rare: this part of them. */
const trimmedPart = 64;

/** What a row takes besides its texts. */
const rowBytes = 32;

export interface HistoryRow {
  readonly version: Version;
  readonly time: number;
  readonly author: string;
  /** See PriorValues, which bounds it. */
  readonly changes: string | null;
}

type Columns = [version: number, time: number, author: string, bytes: number, changes: string | null];

/** The writing side of the history: what each version replaced. Must run inside a transaction. */
export class HistoryTable {
  readonly #limits: HistoryLimits;
  readonly #insert: Database.Statement<Columns>;
  readonly #oldest: Database.Statement<[], [version: Version, bytes: number]>;
  readonly #removeUpTo: Database.Statement<[version: number]>;
  #versions: number;
  #bytes: number;

  constructor(db: Database.Database, limits: HistoryLimits) {
    this.#limits = limits;
    this.#insert = db.prepare(
      'INSERT INTO history (version, time, author, bytes, changes) VALUES (?, ?, ?, ?, ?)',
    );
    this.#oldest = db
      .prepare<[], [Version, number]>('SELECT version, bytes FROM history ORDER BY version')
      .raw();
    this.#removeUpTo = db.prepare('DELETE FROM history WHERE version <= ?');
    const sums = 'SELECT count(*), coalesce(sum(bytes), 0) FROM history';
    [this.#versions, this.#bytes] = db.prepare<[], [number, number]>(sums).raw().get() ?? [0, 0];
  }

  /** What the rows take, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds a version behind all others. Returns the last version that had to go for it, or null. What goes depends on the
   * rows alone, so that every node, however it came by them, has the same ones.
   */
  add({ version, time, author, changes }: HistoryRow): Version | null {
    const bytes = rowBytes + Buffer.byteLength(author) + Buffer.byteLength(changes ?? '');
    this.#insert.run(version, time, author, bytes, changes);
    this.#versions += 1;
    this.#bytes += bytes;
    const { maxVersions, maxBytes } = this.#limits;
    return this.#versions > maxVersions || this.#bytes > maxBytes ? this.#trim() : null;
  }

  #trim(): Version {
    const keptVersions = this.#limits.maxVersions * (1 - 1 / trimmedPart);
    const keptBytes = this.#limits.maxBytes * (1 - 1 / trimmedPart);
    let last: Version | null = null;
    for (const [version, bytes] of this.#oldest.iterate()) {
      if (this.#versions <= keptVersions && this.#bytes <= keptBytes) break;
      last = version;
      this.#versions -= 1;
      this.#bytes -= bytes;
    }
    assert(last !== null, 'trimming begins beyond the limits');
    this.#removeUpTo.run(last);
    return last;
  }
}
