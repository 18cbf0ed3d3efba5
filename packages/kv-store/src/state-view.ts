import { assert, type LogId } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import type { AccessRule, Leaf, TreeName } from './command.ts';
import { type LogIdRow, logIdFromRow } from './log-id-row.ts';
import { isAtOrBelow, rangeBelow } from './path.ts';
import { type ChangeKind, decodeValues, type PriorValue } from './prior-values.ts';
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

/** One version that a write made. */
export interface HistoryEntry {
  readonly version: Version;
  /** When the leader proposed it, in milliseconds since 1970. Never falls from one to the next. */
  readonly time: number;
  /** See WriteCommand. */
  readonly author: string;
  /** In no particular order, each once. Null: they were too large to be kept, or the version is a restored backup's. */
  readonly changes: readonly HistoryChange[] | null;
}

/** An own value of a tree, or the rules of a host, that a version set or removed. */
export interface HistoryChange {
  readonly kind: ChangeKind;
  /** Or the host. */
  readonly path: string;
  /** What it was before the version, for rules as `decodeRules` reads it; null: there was none. */
  readonly before: string | null;
}

/** One consistent look at the state. Valid only inside `read`, or until its cursor is closed. */
export class StateView {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #isOpen: () => boolean;
  /** The same for as long as the transaction lasts. */
  #state: StateRow | null = null;

  /** For those who hold the transaction: `isOpen` tells whether it is there. */
  constructor(db: Database.Database, isOpen: () => boolean) {
    this.#statements = prepareStatements(db);
    this.#isOpen = isOpen;
  }

  /** For those who hold the transaction: another one has begun. */
  renew(): void {
    this.#state = null;
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

  /** Own values, hidden ones too, in byte order: the first `limit` behind the path `after`; null is the beginning. */
  values(tree: TreeName, page: { readonly after: string | null; readonly limit: number }): Leaf[] {
    return this.#open().trees[tree].values.all(page.after ?? '', page.limit);
  }

  /**
   * Of what `leaves` returns the first `limit` behind `after`, which is null or a path that an earlier page held: the
   * pages of several views may belong to several versions.
   */
  leavesPage(
    tree: TreeName,
    path: string,
    page: { readonly after: string | null; readonly limit: number },
  ): Leaf[] {
    const { own, page: below } = this.#open().trees[tree];
    const leaf = own.get(path);
    if (leaf !== undefined) return page.after === null ? [leaf] : [];
    const { from, to } = rangeBelow(path);
    const isWithin = page.after !== null && page.after !== path && isAtOrBelow(page.after, path);
    return below.all(isWithin ? page.after : from, to, page.limit);
  }

  /** The changes after this version are kept, but for those that were too large. */
  historyStart(): Version {
    return version(this.#row().historyStart);
  }

  /** What the writes changed, newest first: the first `limit` with versions up to `before`; null is the newest. */
  history(page: { readonly before: Version | null; readonly limit: number }): HistoryEntry[] {
    const rows = this.#open().history.all(page.before ?? Number.MAX_SAFE_INTEGER, page.limit);
    return rows.map(([found, time, author, changes]) => ({
      version: version(found),
      time,
      author,
      changes: changes === null ? null : (decodeValues(changes)?.map(changeOf) ?? null),
    }));
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

  /** The first `limit` of them behind the host `after`; null is the beginning. */
  rulesPage(after: string | null, limit: number): (readonly [host: string, rules: readonly AccessRule[]])[] {
    return this.#open()
      .rulesPage.all(after ?? '', limit)
      .map(([host, rules]) => [host, decodeRules(rules)]);
  }

  #row() {
    const statements = this.#open();
    this.#state ??= statements.state.get() ?? null;
    const row = this.#state;
    assert(row !== null, 'a state has a position');
    const [term, leader, index, version, digest, featureLevel, historyStart] = row;
    const applied: LogIdRow = [term, leader, index];
    return { applied, version, digest, featureLevel, historyStart };
  }

  #open(): ReturnType<typeof prepareStatements> {
    assert(this.#isOpen(), 'a state view is used outside its transaction');
    return this.#statements;
  }
}

type StateRow = [...LogIdRow, version: number, digest: string, featureLevel: number, historyStart: number];

type HistoryRow = [version: number, time: number, author: string, changes: string | null];

function changeOf([kind, path, before]: PriorValue): HistoryChange {
  return { kind, path, before };
}

/** A parameter of its own would have SQLite plan the statement anew each time that it is run. */
const COUNT = 'CAST(? AS INTEGER)';

function prepareStatements(db: Database.Database) {
  return {
    state: db
      .prepare<[], StateRow>(
        `SELECT applied_term, applied_leader, applied_index, version, lower(hex(digest)), feature_level,
           history_start FROM state`,
      )
      .raw(),
    history: db
      .prepare<[before: number, limit: number], HistoryRow>(
        `SELECT version, time, author, changes FROM history WHERE version <= ? ORDER BY version DESC LIMIT ${COUNT}`,
      )
      .raw(),
    trees: { data: prepareTree(db, 'data'), mapping: prepareTree(db, 'mapping') },
    rules: db.prepare<[host: string], string>('SELECT rules FROM rules WHERE host = ?').pluck(),
    allRules: db
      .prepare<[], [host: string, rules: string]>('SELECT host, rules FROM rules ORDER BY host')
      .raw(),
    rulesPage: db
      .prepare<[after: string, limit: number], [host: string, rules: string]>(
        'SELECT host, rules FROM rules WHERE host > ? ORDER BY host LIMIT ?',
      )
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
    page: db
      .prepare<[after: string, to: string, limit: number], Leaf>(
        `SELECT path, value FROM ${table} WHERE path > ? AND path < ? AND hidden = 0 ORDER BY path LIMIT ${COUNT}`,
      )
      .raw(),
    count: db.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck(),
    values: db
      .prepare<[after: string, limit: number], Leaf>(
        `SELECT path, value FROM ${table} WHERE path > ? ORDER BY path LIMIT ${COUNT}`,
      )
      .raw(),
  };
}
