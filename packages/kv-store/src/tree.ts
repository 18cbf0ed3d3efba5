import { unreachable } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import type { ContentCommand, Leaf, TreeName } from './command.ts';
import { parentOf, ROOT, rangeBelow } from './path.ts';
import type { PriorValues } from './prior-values.ts';
import type { Version } from './version.ts';

export type TreeCommand = Extract<ContentCommand, { readonly tree: TreeName }>;

/** What a command makes of the own value of one path. Holds no old value: `PriorValues` bounds how many are held. */
interface Edit {
  /** The row's `hidden` before the command; undefined when there was no row. */
  readonly before: number | undefined;
  /** The value after the command; undefined when there is none. */
  readonly value: string | undefined;
}

type Edits = Map<string, Edit>;

/** How a command is recorded. */
export interface Recording {
  /** What rows are marked with; 0 for a command that is no write. */
  readonly version: Version;
  /** Where the values that are replaced go; null: nowhere. */
  readonly prior: PriorValues | null;
}

/**
 * The writing side of one tree. Must run inside a transaction. Its cost follows the rows that a command names or
 * removes and the depth of their paths, never the size of the tree.
 */
export class Tree {
  readonly #name: TreeName;
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(db: Database.Database, table: TreeName) {
    this.#name = table;
    this.#statements = prepareStatements(db, table);
  }

  /**
   * Applies one command. Returns null when it leaves every value as it was, else the leaves that show differently:
   * set, changed or removed ones, and those above them that are now hidden or show again.
   */
  apply(command: TreeCommand, { version, prior }: Recording): readonly string[] | null {
    const edits = this.#plan(command, prior);
    if (edits.size === 0) return null;
    if (prior !== null && command.type !== 'merge') this.#noteRemoved(edits, prior);
    if (command.type === 'delete') for (const path of command.paths) this.#removeWithBelow(path);
    else {
      for (const [path, { value }] of edits) {
        if (value === undefined) this.#statements.remove.run(path);
        else this.#statements.set.run(path, value, version);
      }
    }
    return this.#settle(edits, this.#findUnsettled(command, edits), version);
  }

  /** What the command really changes, by path. Writes nothing. */
  #plan(command: TreeCommand, prior: PriorValues | null): Edits {
    const edits: Edits = new Map();
    switch (command.type) {
      case 'merge':
        for (const [path, value] of eachOnce(command.leaves)) this.#planSet(edits, [path, value], prior);
        return edits;
      case 'replace':
        this.#planRemoval(edits, command.path);
        for (const [path, value] of eachOnce(command.leaves)) this.#planSet(edits, [path, value], prior);
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

  #planSet(edits: Edits, [path, value]: Leaf, prior: PriorValues | null): void {
    const { compare, compareOnly } = this.#statements;
    const row = (prior?.isOpen ? compare : compareOnly).get(value, path);
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
    const { from, to } = rangeBelow(path);
    for (const row of this.#statements.rowsBetween.iterate(from, to)) {
      edits.set(row.path, { before: row.hidden, value: undefined });
    }
  }

  /** Of what is set, `#planSet` has noted it. */
  #noteRemoved(edits: Edits, prior: PriorValues): void {
    for (const [path, { value }] of edits) {
      if (!prior.isOpen) return;
      if (value === undefined) prior.note(this.#name, path, this.#statements.value.get(path) ?? null);
    }
  }

  #removeWithBelow(path: string): void {
    const { from, to } = rangeBelow(path);
    this.#statements.remove.run(path);
    this.#statements.removeBetween.run(from, to);
  }

  /** Brings `hidden` up to date after the values were written, and tells which leaves show differently. */
  #settle(edits: Edits, unsettled: Set<string>, version: Version): string[] {
    const changed: string[] = [];
    for (const [path, { before, value }] of edits) {
      const hidden = unsettled.delete(path) ? this.#hasRowsBelow(path) : (before ?? 0);
      if (value !== undefined && hidden !== (before ?? 0))
        this.#statements.setHidden.run(hidden, version, path);
      const shows = value !== undefined && hidden === 0;
      if (before === 0 || shows) changed.push(path);
    }
    for (const path of unsettled) {
      const hidden = this.#hasRowsBelow(path);
      if (this.#statements.hidden.get(path) === hidden) continue;
      this.#statements.setHidden.run(hidden, version, path);
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

/** Of a path that is named twice the last value counts. */
function eachOnce(leaves: readonly Leaf[]): Iterable<Leaf> {
  return leaves.length < 2 ? leaves : new Map(leaves);
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
