import { unreachable } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import type { ContentCommand, TreeName } from './command.ts';
import { parentOf, ROOT, rangeBelow } from './path.ts';

export type TreeCommand = Extract<ContentCommand, { readonly tree: TreeName }>;

/** What a command makes of the own value of one path. Holds no old value: a command may remove more than memory holds. */
interface Edit {
  /** The row's `hidden` before the command; undefined when there was no row. */
  readonly before: number | undefined;
  /** The value after the command; undefined when there is none. */
  readonly value: string | undefined;
}

type Edits = Map<string, Edit>;

/**
 * The writing side of one tree. Must run inside a transaction. Its cost follows the rows that a command names or
 * removes and the depth of their paths, never the size of the tree.
 */
export class Tree {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(db: Database.Database, table: TreeName) {
    this.#statements = prepareStatements(db, table);
  }

  /**
   * Applies one command. Returns null when it leaves every value as it was, else the leaves that show differently:
   * set, changed or removed ones, and those above them that are now hidden or show again.
   */
  apply(command: TreeCommand): readonly string[] | null {
    const edits = this.#plan(command);
    if (edits.size === 0) return null;
    if (command.type === 'delete') for (const path of command.paths) this.#removeWithBelow(path);
    else {
      for (const [path, { value }] of edits) {
        if (value === undefined) this.#statements.remove.run(path);
        else this.#statements.set.run(path, value);
      }
    }
    return this.#settle(edits, this.#findUnsettled(command, edits));
  }

  /** What the command really changes, by path. Writes nothing. */
  #plan(command: TreeCommand): Edits {
    const edits: Edits = new Map();
    switch (command.type) {
      case 'merge':
        for (const [path, value] of command.leaves) this.#planSet(edits, path, value);
        return edits;
      case 'replace':
        this.#planRemoval(edits, command.path);
        for (const [path, value] of command.leaves) this.#planSet(edits, path, value);
        return edits;
      case 'delete':
        for (const path of command.paths) this.#planRemoval(edits, path);
        return edits;
      case 'deleteValue': {
        const before = this.#statements.hidden.get(command.path);
        if (before !== undefined) edits.set(command.path, { before, value: undefined });
        return edits;
      }
      default:
        return unreachable(command);
    }
  }

  #planSet(edits: Edits, path: string, value: string): void {
    const row = this.#statements.compare.get(value, path);
    if (row?.same === 1) edits.delete(path);
    else edits.set(path, { before: row?.hidden, value });
  }

  #planRemoval(edits: Edits, path: string): void {
    const before = this.#statements.hidden.get(path);
    if (before !== undefined) edits.set(path, { before, value: undefined });
    const { from, to } = rangeBelow(path);
    for (const row of this.#statements.rowsBetween.iterate(from, to)) {
      edits.set(row.path, { before: row.hidden, value: undefined });
    }
  }

  #removeWithBelow(path: string): void {
    const { from, to } = rangeBelow(path);
    this.#statements.remove.run(path);
    this.#statements.removeBetween.run(from, to);
  }

  /** Brings `hidden` up to date after the values were written, and tells which leaves show differently. */
  #settle(edits: Edits, unsettled: Set<string>): string[] {
    const changed: string[] = [];
    for (const [path, { before, value }] of edits) {
      const hidden = unsettled.delete(path) ? this.#hasRowsBelow(path) : (before ?? 0);
      if (value !== undefined && hidden !== (before ?? 0)) this.#statements.setHidden.run(hidden, path);
      const shows = value !== undefined && hidden === 0;
      if (before === 0 || shows) changed.push(path);
    }
    for (const path of unsettled) {
      const hidden = this.#hasRowsBelow(path);
      if (this.#statements.hidden.get(path) === hidden) continue;
      this.#statements.setHidden.run(hidden, path);
      changed.push(path);
    }
    return changed;
  }

  /**
   * The rows whose `hidden` may be wrong: each new row, and the nearest row above each path that came or went. Rows
   * further up have that nearest one below them, so they are hidden before and after.
   */
  #findUnsettled(command: TreeCommand, edits: Edits): Set<string> {
    const unsettled = new Set<string>();
    const walked = new Set<string>();
    if (command.type === 'delete') {
      // Of what was below a deleted path nothing is left: the nearest row above all of it is above that path.
      for (const path of command.paths) this.#addNearestAbove(path, unsettled, walked);
      return unsettled;
    }
    for (const [path, { before, value }] of edits) {
      if (before !== undefined && value !== undefined) continue;
      if (value !== undefined) unsettled.add(path);
      this.#addNearestAbove(path, unsettled, walked);
    }
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

function prepareStatements(db: Database.Database, table: TreeName) {
  return {
    hidden: db.prepare<[path: string], 0 | 1>(`SELECT hidden FROM ${table} WHERE path = ?`).pluck(),
    compare: db.prepare<[value: string, path: string], { readonly hidden: 0 | 1; readonly same: 0 | 1 }>(
      `SELECT hidden, value = ? AS same FROM ${table} WHERE path = ?`,
    ),
    rowsBetween: db.prepare<[from: string, to: string], { readonly path: string; readonly hidden: 0 | 1 }>(
      `SELECT path, hidden FROM ${table} WHERE path >= ? AND path < ?`,
    ),
    anyBetween: db.prepare<[from: string, to: string], unknown>(
      `SELECT 1 FROM ${table} WHERE path >= ? AND path < ? LIMIT 1`,
    ),
    set: db.prepare<[path: string, value: string]>(
      `INSERT INTO ${table} (path, value, hidden) VALUES (?, ?, 0) ON CONFLICT (path) DO UPDATE SET value = excluded.value`,
    ),
    setHidden: db.prepare<[hidden: number, path: string]>(`UPDATE ${table} SET hidden = ? WHERE path = ?`),
    remove: db.prepare<[path: string]>(`DELETE FROM ${table} WHERE path = ?`),
    removeBetween: db.prepare<[from: string, to: string]>(
      `DELETE FROM ${table} WHERE path >= ? AND path < ?`,
    ),
  };
}
