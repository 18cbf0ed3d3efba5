import { unreachable } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import type { Precondition, TreeName } from './command.ts';
import { parentOf, ROOT, rangeBelow } from './path.ts';
import type { Position } from './position.ts';
import { decodeNames } from './prior-values.ts';
import type { Version } from './version.ts';

/** So far back is looked for changes of a tree. What a client holds is rarely older, and the look holds up all writes. */
export const MAX_LOOK_BACK_VERSIONS = 10_000;

/** `unchangedSince` of a tree: which of a write's preconditions it is, and where to look for changes. */
interface Pending {
  readonly index: number;
  readonly tree: TreeName;
  readonly path: string;
  readonly version: Version;
}

/** Judges preconditions by the rows. Must run inside a transaction. */
export class Preconditions {
  readonly #trees: { readonly [tree in TreeName]: ReturnType<typeof prepareTree> };
  readonly #changesAfter: Database.Statement<[version: number], [version: number, changes: string | null]>;

  constructor(db: Database.Database) {
    this.#trees = { data: prepareTree(db, 'data'), mapping: prepareTree(db, 'mapping') };
    this.#changesAfter = db
      .prepare<[number], [number, string | null]>('SELECT version, changes FROM history WHERE version > ?')
      .raw();
  }

  /** The index of the first that does not hold; null: all hold. */
  firstFailing(preconditions: readonly Precondition[], position: Position): number | null {
    const pending: Pending[] = [];
    for (const [index, condition] of preconditions.entries()) {
      const verdict = this.#judge(condition, position);
      if (verdict === 'fails') return this.#firstChanged(pending) ?? index;
      if (verdict === 'askHistory' && condition.type === 'unchangedSince')
        pending.push({ ...condition, index });
    }
    return this.#firstChanged(pending);
  }

  #judge(condition: Precondition, position: Position): 'holds' | 'fails' | 'askHistory' {
    const { tree, path } = condition;
    switch (condition.type) {
      case 'absent':
        return verdictOf(!this.#hasValue(tree, path));
      case 'present':
        return verdictOf(this.#isThere(tree, path));
      case 'equals':
        return verdictOf(this.#trees[tree].equals.get(condition.value, path) === 1);
      case 'unchangedSince':
        return this.#judgeUnchanged(condition, position);
      default:
        return unreachable(condition);
    }
  }

  /** A leaf that shows knows when that began; of a tree only the history knows. */
  #judgeUnchanged({ tree, path, version }: Omit<Pending, 'index'>, position: Position) {
    // Nobody can have seen it: what comes until then would count as seen.
    if (version > position.version) return 'fails';
    const row = this.#trees[tree].row.get(path);
    if (row?.hidden === 0) return verdictOf(Math.max(row.version, position.versionFloor) <= version);
    if (row === undefined && !this.#isThere(tree, path)) return 'fails';
    if (version === position.version) return 'holds';
    const isKept = version >= position.historyStart && position.version - version <= MAX_LOOK_BACK_VERSIONS;
    return isKept ? 'askHistory' : 'fails';
  }

  /** As reads have it: the root of an empty tree is there, and has no value. */
  #isThere(tree: TreeName, path: string): boolean {
    return path === ROOT || this.#hasValue(tree, path);
  }

  #hasValue(tree: TreeName, path: string): boolean {
    const { row, anyBetween } = this.#trees[tree];
    const { from, to } = rangeBelow(path);
    return row.get(path) !== undefined || anyBetween.get(from, to) !== undefined;
  }

  /** One pass over the changes, however many conditions there are: each changed path looks for those at or above it. */
  #firstChanged(pending: readonly Pending[]): number | null {
    if (pending.length === 0) return null;
    const byPath = groupByPath(pending);
    const since = Math.min(...pending.map(({ version }) => version));
    let first = Number.POSITIVE_INFINITY;
    const fail = (conditions: readonly Pending[], changed: number) => {
      for (const { index, version } of conditions) if (version < changed) first = Math.min(first, index);
    };
    for (const [changed, changes] of this.#changesAfter.iterate(since)) {
      // Not even what it was is kept: it may have been anything.
      if (changes === null) fail(pending, changed);
      else {
        for (const [kind, name] of decodeNames(changes)) {
          if (kind === 'rules') continue;
          for (let at: string | null = name; at !== null; at = parentOf(at)) {
            const found = byPath.get(`${kind}:${at}`);
            if (found !== undefined) fail(found, changed);
          }
        }
      }
    }
    return first === Number.POSITIVE_INFINITY ? null : first;
  }
}

function groupByPath(pending: readonly Pending[]): Map<string, Pending[]> {
  const groups = new Map<string, Pending[]>();
  for (const condition of pending) {
    const key = `${condition.tree}:${condition.path}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [condition]);
    else group.push(condition);
  }
  return groups;
}

function verdictOf(holds: boolean): 'holds' | 'fails' {
  return holds ? 'holds' : 'fails';
}

function prepareTree(db: Database.Database, table: TreeName) {
  return {
    row: db.prepare<[path: string], { readonly hidden: 0 | 1; readonly version: number }>(
      `SELECT hidden, version FROM ${table} WHERE path = ?`,
    ),
    anyBetween: db.prepare<[from: string, to: string], unknown>(
      `SELECT 1 FROM ${table} WHERE path >= ? AND path < ? LIMIT 1`,
    ),
    equals: db
      .prepare<[value: string, path: string], 0 | 1>(`SELECT value = ? FROM ${table} WHERE path = ?`)
      .pluck(),
  };
}
