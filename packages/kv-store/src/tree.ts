import type Database from 'better-sqlite3';
import type { ChangedLeaves } from './change.ts';
import { combineCommands, type Outcome, type TreeCommand } from './combine-commands.ts';
import type { Leaf, TreeName } from './command.ts';
import { parentOf, ROOT, rangeBelow } from './path.ts';
import type { PriorValues } from './prior-values.ts';
import type { Version } from './version.ts';

/** What commands make of the own value of one path. Holds no old value: `PriorValues` bounds how many are held. */
interface Edit {
  /** The row's `hidden` before them; undefined when there was no row. */
  readonly before: number | undefined;
  /** The value after them; undefined when there is none. */
  readonly value: string | undefined;
}

type Edits = Map<string, Edit>;

/** How commands are recorded. */
export interface Recording {
  /** What rows are marked with; 0 for a command that is no write. */
  readonly version: Version;
  /** Where the values that are replaced go; null: nowhere. */
  readonly prior: PriorValues | null;
}

/**
 * The writing side of one tree. Must run inside a transaction. Its cost follows the rows that commands name or
 * remove and the depth of their paths, never the size of the tree.
 */
export class Tree {
  readonly #name: TreeName;
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(db: Database.Database, table: TreeName) {
    this.#name = table;
    this.#statements = prepareStatements(db, table);
  }

  /**
   * Applies commands, one after the other and as one change: rows that are in the end as they were are not touched.
   * Returns null when that is all of them.
   */
  apply(commands: readonly TreeCommand[], { version, prior }: Recording): ChangedLeaves | null {
    const outcome = combineCommands(commands);
    const edits = this.#plan(outcome, prior);
    if (edits.size === 0) return null;
    const clearsOnly = outcome.leaves.length === 0 && outcome.removed.length === 0;
    const removesAny = outcome.cleared.length > 0 || outcome.removed.length > 0;
    if (prior !== null && removesAny) this.#noteRemoved(edits, prior);
    if (clearsOnly) for (const path of outcome.cleared) this.#removeWithBelow(path);
    else {
      for (const [path, { value }] of edits) {
        if (value === undefined) this.#statements.remove.run(path);
        else this.#statements.set.run(path, value, version);
      }
    }
    const unsettled = clearsOnly ? this.#nearestAbove(outcome.cleared) : this.#findUnsettled(edits);
    return this.#settle(edits, unsettled, version);
  }

  /** What really changes, by path. Writes nothing. */
  #plan({ cleared, removed, leaves }: Outcome, prior: PriorValues | null): Edits {
    const edits: Edits = new Map();
    for (const path of cleared) this.#planClear(edits, path);
    for (const path of removed) this.#planRemoval(edits, path);
    for (const leaf of leaves) this.#planSet(edits, leaf, prior);
    return edits;
  }

  #planSet(edits: Edits, [path, value]: Leaf, prior: PriorValues | null): void {
    const { compare, compareOnly } = this.#statements;
    const row = (prior?.takesValues ? compare : compareOnly).get(value, path);
    if (row !== undefined && row[1] === null) {
      edits.delete(path);
      return;
    }
    edits.set(path, { before: row?.[0], value });
    prior?.note(this.#name, path, row === undefined ? null : row[1]);
  }

  #planRemoval(edits: Edits, path: string): void {
    const before = this.#statements.hidden.get(path);
    if (before !== undefined) edits.set(path, { before, value: undefined });
  }

  #planClear(edits: Edits, path: string): void {
    this.#planRemoval(edits, path);
    const { from, to } = rangeBelow(path);
    for (const row of this.#statements.rowsBetween.iterate(from, to)) {
      edits.set(row.path, { before: row.hidden, value: undefined });
    }
  }

  /** Of what is set, `#planSet` has noted it. */
  #noteRemoved(edits: Edits, prior: PriorValues): void {
    for (const [path, { value }] of edits) {
      if (!prior.isOpen) return;
      if (value !== undefined) continue;
      const before = prior.takesValues ? this.#statements.value.get(path) : undefined;
      prior.note(this.#name, path, before ?? null);
    }
  }

  #removeWithBelow(path: string): void {
    const { from, to } = rangeBelow(path);
    this.#statements.remove.run(path);
    this.#statements.removeBetween.run(from, to);
  }

  /** Brings `hidden` up to date after the values were written, and tells which leaves show differently. */
  #settle(edits: Edits, unsettled: Set<string>, version: Version): ChangedLeaves {
    const appeared: string[] = [];
    const shown: string[] = [];
    for (const [path, { before, value }] of edits) {
      const hidden = unsettled.delete(path) ? this.#hasRowsBelow(path) : (before ?? 0);
      if (value !== undefined && hidden !== (before ?? 0))
        this.#statements.setHidden.run(hidden, version, path);
      if (before === 0) shown.push(path);
      else if (value !== undefined && hidden === 0) appeared.push(path);
    }
    for (const path of unsettled) {
      const hidden = this.#hasRowsBelow(path);
      if (this.#statements.hidden.get(path) === hidden) continue;
      this.#statements.setHidden.run(hidden, version, path);
      (hidden === 0 ? appeared : shown).push(path);
    }
    return { paths: [...appeared, ...shown], appeared: appeared.length };
  }

  /**
   * The rows whose `hidden` may be wrong: each new row, and the nearest row above each path that came or went. Rows
   * further up have that nearest one below them, so they are hidden before and after.
   */
  #findUnsettled(edits: Edits): Set<string> {
    const unsettled = new Set<string>();
    const walked = new Set<string>();
    for (const [path, { before, value }] of edits) {
      if (before !== undefined && value !== undefined) continue;
      if (value !== undefined) unsettled.add(path);
      this.#addNearestAbove(path, unsettled, walked);
    }
    return unsettled;
  }

  /** `#findUnsettled` where nothing is left at or below these: the nearest row above all of it is above one of them. */
  #nearestAbove(cleared: readonly string[]): Set<string> {
    const unsettled = new Set<string>();
    const walked = new Set<string>();
    for (const path of cleared) this.#addNearestAbove(path, unsettled, walked);
    return unsettled;
  }

  /** Adds the nearest row above `path`, unless an earlier walk went the same way. */
  #addNearestAbove(path: string, found: Set<string>, walked: Set<string>): void {
    for (let above = parentOf(path); above !== null && above !== ROOT; above = parentOf(above)) {
      if (walked.has(above)) return;
      walked.add(above);
      if (this.#statements.hidden.get(above) !== undefined) {
        found.add(above);
        return;
      }
    }
  }

  #hasRowsBelow(path: string): 0 | 1 {
    const { from, to } = rangeBelow(path);
    return this.#statements.anyBetween.get(from, to) === undefined ? 0 : 1;
  }
}

type ComparedRow = [hidden: 0 | 1, otherValue: string | null];

function prepareStatements(db: Database.Database, table: TreeName) {
  return {
    hidden: db.prepare<[path: string], 0 | 1>(`SELECT hidden FROM ${table} WHERE path = ?`).pluck(),
    value: db.prepare<[path: string], string>(`SELECT value FROM ${table} WHERE path = ?`).pluck(),
    // The own value, or null when it is that one.
    compare: db
      .prepare<[value: string, path: string], ComparedRow>(
        `SELECT hidden, nullif(value, ?) FROM ${table} WHERE path = ?`,
      )
      .raw(),
    // The same without reading what may be long.
    compareOnly: db
      .prepare<[value: string, path: string], ComparedRow>(
        `SELECT hidden, iif(value = ?, NULL, '') FROM ${table} WHERE path = ?`,
      )
      .raw(),
    rowsBetween: db.prepare<[from: string, to: string], { readonly path: string; readonly hidden: 0 | 1 }>(
      `SELECT path, hidden FROM ${table} WHERE path >= ? AND path < ?`,
    ),
    anyBetween: db.prepare<[from: string, to: string], unknown>(
      `SELECT 1 FROM ${table} WHERE path >= ? AND path < ? LIMIT 1`,
    ),
    set: db.prepare<[path: string, value: string, version: number]>(
      `INSERT INTO ${table} (path, hidden, value, version) VALUES (?, 0, ?, ?)
       ON CONFLICT (path) DO UPDATE SET value = excluded.value, version = excluded.version`,
    ),
    setHidden: db.prepare<[hidden: number, version: number, path: string]>(
      `UPDATE ${table} SET hidden = ?, version = ? WHERE path = ?`,
    ),
    remove: db.prepare<[path: string]>(`DELETE FROM ${table} WHERE path = ?`),
    removeBetween: db.prepare<[from: string, to: string]>(
      `DELETE FROM ${table} WHERE path >= ? AND path < ?`,
    ),
  };
}
