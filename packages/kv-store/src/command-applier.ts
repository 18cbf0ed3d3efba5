import { unreachable } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import { ChangedNames } from './changed-names.ts';
import type { ContentCommand, FeatureLevelCommand, TreeName, WriteCommand } from './command.ts';
import type { Effect, Position } from './position.ts';
import { RuleTable } from './rule-table.ts';
import { Tree } from './tree.ts';
import { version } from './version.ts';

/** What commands do to the rows. Must run inside a transaction. Looks at nothing but the rows and the position. */
export class CommandApplier {
  readonly #trees: { readonly [tree in TreeName]: Tree };
  readonly #rules: RuleTable;

  constructor(db: Database.Database) {
    this.#trees = { data: new Tree(db, 'data'), mapping: new Tree(db, 'mapping') };
    this.#rules = new RuleTable(db);
  }

  apply(command: WriteCommand | ContentCommand | FeatureLevelCommand, before: Position): Effect {
    switch (command.type) {
      case 'setFeatureLevel': {
        const featureLevel = Math.max(command.level, before.featureLevel);
        const result = { type: 'applied', version: before.version } as const;
        return { result, changes: [], moves: { featureLevel } };
      }
      case 'write':
        return this.#carryOut(command.operations, before);
      default:
        return this.#carryOut([command], before);
    }
  }

  #carryOut(operations: readonly ContentCommand[], before: Position): Effect {
    const next = version(before.version + 1);
    const changed = new ChangedNames();
    for (const operation of operations) this.#execute(operation, changed);
    if (changed.isEmpty) {
      return { result: { type: 'applied', version: before.version }, changes: [], moves: {} };
    }
    const result = { type: 'applied', version: next } as const;
    return { result, changes: changed.at(next), moves: { version: next } };
  }

  #execute(command: ContentCommand, changed: ChangedNames): void {
    switch (command.type) {
      case 'merge':
      case 'replace':
      case 'delete':
      case 'deleteValue':
        changed.add(command.tree, this.#trees[command.tree].apply(command));
        return;
      case 'setRules':
      case 'deleteRules':
        changed.add('rules', this.#rules.apply(command));
        return;
      default:
        unreachable(command);
    }
  }
}
