import { type AppliedBatch, type Change, version } from '@metad/kv-store';
import { unreachable } from '@metad/raft-core';

/**
 * An applied batch as it crosses the port. Changes are one flat list (the type, the version, how many leaves appeared, how
 * many names follow, and they): an object for each would take the two threads five times as long.
 */
export interface PackedBatch extends Omit<AppliedBatch, 'changes'> {
  readonly changes: PackedChanges;
}

export type PackedChanges = readonly (string | number)[];

export function packChange(change: Change, into: (string | number)[]): void {
  const names = namesOf(change);
  into.push(change.type, change.version, change.type === 'data' ? change.appeared : 0, names.length);
  for (const name of names) into.push(name);
}

export function unpackBatch(batch: PackedBatch): AppliedBatch {
  const changes: Change[] = [];
  for (let at = 0; at < batch.changes.length; ) {
    const count = Number(batch.changes[at + HEAD - 1]);
    changes.push(changeOf(batch.changes, at, count));
    at += HEAD + count;
  }
  return { ...batch, changes };
}

/** Places before the names. */
const HEAD = 4;

function namesOf(change: Change): readonly string[] {
  switch (change.type) {
    case 'data':
      return change.paths;
    case 'mapping':
    case 'rules':
      return change.hosts;
    case 'reset':
      return [];
    default:
      return unreachable(change);
  }
}

function changeOf(packed: PackedChanges, at: number, count: number): Change {
  const type = packed[at];
  const changed = version(Number(packed[at + 1]));
  const names = packed.slice(at + HEAD, at + HEAD + count).map(String);
  switch (type) {
    case 'data':
      return { type, version: changed, paths: names, appeared: Number(packed[at + 2]) };
    case 'mapping':
    case 'rules':
      return { type, version: changed, hosts: names };
    case 'reset':
      return { type, version: changed };
    default:
      throw new Error(`a change of the type ${type} crossed the port`);
  }
}
