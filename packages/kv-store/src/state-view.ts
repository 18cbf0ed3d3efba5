import { assert, type LogId } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import type { AccessRule, Leaf, TreeName } from './command.ts';
import { type LogIdRow, logIdFromRow } from './log-id-row.ts';
import { rangeBelow } from './path.ts';
import { decodeRules } from './rule-table.ts';
import { type Version, version } from './version.ts';

/** Reads of the state machine. */
export interface StateReader {
  /**
   * Runs `look` in one read transaction: everything it sees belongs to one version. It must not keep the view, nor
   * return a promise.
   */
  read<T>(look: (view: StateView) => T): T;
}

/** One consistent look at the state. Valid only inside `read`, or until its cursor is closed. */
export class StateView {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #isOpen: () => boolean;

  /** For those who hold the transaction: `isOpen` tells whether it is there. */
  constructor(db: Database.Database, isOpen: () => boolean) {
    this.#statements = prepareStatements(db);
    this.#isOpen = isOpen;
  }

  version(): Version {
    return version(this.#row().version);
  }

  /** The last entry that this view includes. */
  applied(): LogId {
    return logIdFromRow(this.#row().applied);
  }

  /** See StateMachine. */
  featureLevel(): number {
    return this.#row().featureLevel;
  }

  /** Hex; see StateMachine. */
  digest(): string {
    return this.#row().digest;
  }

  /** The own value of `path`, hidden or not; undefined when it has none. */
  value(tree: TreeName, path: string): string | undefined {
    return this.#open().trees[tree].value.get(path);
  }

  /** The leaves that show at or below `path`, in byte order of their UTF-8 paths, which are absolute. */
  leaves(tree: TreeName, path: string): Leaf[] {
    const { own, below } = this.#open().trees[tree];
    const leaf = own.get(path);
    if (leaf !== undefined) return [leaf];
    const { from, to } = rangeBelow(path);
    return below.all(from, to);
  }

  /**
   * Calls `visit` with each of what `leaves` returns, without holding them all. `visit` must not call `eachLeaf` for
   * the same tree.
   */
  eachLeaf(tree: TreeName, path: string, visit: (path: string, value: string) => void): void {
    const { own, below } = this.#open().trees[tree];
    const leaf = own.get(path);
    if (leaf !== undefined) {
      visit(...leaf);
      return;
    }
    const { from, to } = rangeBelow(path);
    for (const row of below.iterate(from, to)) visit(...row);
  }

  /** Own values, hidden ones too, in byte order: the first `limit` behind the path `after`; null is the beginning. */
  values(tree: TreeName, page: { readonly after: string | null; readonly limit: number }): Leaf[] {
    return this.#open().trees[tree].values.all(page.after ?? '', page.limit);
  }

  /** How many own values there are, hidden ones too. Looks at every row. */
  count(tree: TreeName): number {
    return this.#open().trees[tree].count.get() ?? 0;
  }

  /** The rules of one client; undefined: it has no rule set, which is not the same as an empty one. */
  rules(host: string): readonly AccessRule[] | undefined {
    const text = this.#open().rules.get(host);
    return text === undefined ? undefined : decodeRules(text);
  }

  /** Every rule set, in byte order of the host. */
  allRules(): (readonly [host: string, rules: readonly AccessRule[]])[] {
    return this.#open()
      .allRules.all()
      .map(([host, rules]) => [host, decodeRules(rules)]);
  }

  #row() {
    const row = this.#open().state.get();
    assert(row !== undefined, 'a state has a position');
    const [term, leader, index, version, digest, featureLevel] = row;
    const applied: LogIdRow = [term, leader, index];
    return { applied, version, digest, featureLevel };
  }

  #open(): ReturnType<typeof prepareStatements> {
    assert(this.#isOpen(), 'a state view is used outside its transaction');
    return this.#statements;
  }
}

function prepareStatements(db: Database.Database) {
  return {
    state: db
      .prepare<[], [...LogIdRow, version: number, digest: string, featureLevel: number]>(
        'SELECT applied_term, applied_leader, applied_index, version, lower(hex(digest)), feature_level FROM state',
      )
      .raw(),
    trees: { data: prepareTree(db, 'data'), mapping: prepareTree(db, 'mapping') },
    rules: db.prepare<[host: string], string>('SELECT rules FROM rules WHERE host = ?').pluck(),
    allRules: db
      .prepare<[], [host: string, rules: string]>('SELECT host, rules FROM rules ORDER BY host')
      .raw(),
  };
}

function prepareTree(db: Database.Database, table: TreeName) {
  return {
    value: db.prepare<[path: string], string>(`SELECT value FROM ${table} WHERE path = ?`).pluck(),
    own: db
      .prepare<[path: string], Leaf>(`SELECT path, value FROM ${table} WHERE path = ? AND hidden = 0`)
      .raw(),
    below: db
      .prepare<[from: string, to: string], Leaf>(
        `SELECT path, value FROM ${table} WHERE path >= ? AND path < ? AND hidden = 0 ORDER BY path`,
      )
      .raw(),
    count: db.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck(),
    values: db
      .prepare<[after: string, limit: number], Leaf>(
        `SELECT path, value FROM ${table} WHERE path > ? ORDER BY path LIMIT ?`,
      )
      .raw(),
  };
}
