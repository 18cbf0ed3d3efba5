import { unreachable } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import type { Command, TreeName } from './command.ts';
import { parentOf, ROOT, rangeBelow } from './path.ts';

export type TreeCommand = Extract<Command, { readonly tree: TreeName }>;

/** A row as it was before the command. */
interface Row {
  readonly value: string;
  readonly hidden: number;
}

/** What a command makes of the own value of one path. */
interface Edit {
  readonly before: Row | undefined;
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
    for (const [path, { before, value }] of edits) if (before?.value === value) edits.delete(path);
    if (edits.size === 0) return null;
    for (const [path, { value }] of edits) {
      if (value === undefined) this.#statements.remove.run(path);
      else this.#statements.set.run(path, value);
    }
    return this.#settle(edits);
  }

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
      case 'deleteValue':
        edits.set(command.path, { before: this.#statements.row.get(command.path), value: undefined });
        return edits;
      default:
        return unreachable(command);
    }
  }

  #planSet(edits: Edits, path: string, value: string): void {
    const planned = edits.get(path);
    edits.set(path, { before: planned ? planned.before : this.#statements.row.get(path), value });
  }

  #planRemoval(edits: Edits, path: string): void {
    const own = this.#statements.row.get(path);
    if (own !== undefined) edits.set(path, { before: own, value: undefined });
    const { from, to } = rangeBelow(path);
    for (const row of this.#statements.rowsBetween.iterate(from, to)) {
      edits.set(row.path, { before: row, value: undefined });
    }
  }

  /** Brings `hidden` up to date after the values were written, and tells which leaves show differently. */
  #settle(edits: Edits): string[] {
    const unsettled = this.#findUnsettled(edits);
    const changed: string[] = [];
    for (const [path, { before, value }] of edits) {
      const wasHidden = before?.hidden ?? 0;
      const hidden = unsettled.delete(path) ? this.#hasRowsBelow(path) : wasHidden;
      if (value !== undefined && hidden !== wasHidden) this.#statements.setHidden.run(hidden, path);
      const shown = before !== undefined && wasHidden === 0;
      const shows = value !== undefined && hidden === 0;
      if (shown || shows) changed.push(path);
    }
    for (const path of unsettled) {
      const hidden = this.#hasRowsBelow(path);
      if (this.#statements.row.get(path)?.hidden === hidden) continue;
      this.#statements.setHidden.run(hidden, path);
      changed.push(path);
    }
    return changed;
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
      let above = parentOf(path);
      while (above !== null && above !== ROOT && !walked.has(above)) {
        walked.add(above);
        if (this.#statements.row.get(above) !== undefined) {
          unsettled.add(above);
          break;
        }
        above = parentOf(above);
      }
    }
    return unsettled;
  }

  #hasRowsBelow(path: string): 0 | 1 {
    const { from, to } = rangeBelow(path);
    return this.#statements.anyBetween.get(from, to) === undefined ? 0 : 1;
  }
}

function prepareStatements(db: Database.Database, table: TreeName) {
  return {
    row: db.prepare<[path: string], Row>(`SELECT value, hidden FROM ${table} WHERE path = ?`),
    rowsBetween: db.prepare<[from: string, to: string], Row & { readonly path: string }>(
      `SELECT path, value, hidden FROM ${table} WHERE path >= ? AND path < ?`,
    ),
    anyBetween: db.prepare<[from: string, to: string], unknown>(
      `SELECT 1 FROM ${table} WHERE path >= ? AND path < ? LIMIT 1`,
    ),
    set: db.prepare<[path: string, value: string]>(
      `INSERT INTO ${table} (path, value, hidden) VALUES (?, ?, 0) ON CONFLICT (path) DO UPDATE SET value = excluded.value`,
    ),
    setHidden: db.prepare<[hidden: number, path: string]>(`UPDATE ${table} SET hidden = ? WHERE path = ?`),
    remove: db.prepare<[path: string]>(`DELETE FROM ${table} WHERE path = ?`),
  };
}
