import { assert, unreachable } from '@metad/raft-core';
import type { Operation } from './operation.ts';

/** Names one value of a register, from 0 up; the state before the first write (no value) is `INITIAL`. */
export type ValueId = number;

export const INITIAL: ValueId = 0;

/** A read or a write that has returned `ok`: it has its place in every order. */
export interface Access {
  readonly type: 'read' | 'write';
  readonly value: ValueId;
  readonly call: number;
  readonly at: number;
}

/** One key's history, reduced to what bears on its order. */
export interface RegisterHistory {
  /** By `call`. */
  readonly accesses: readonly Access[];
  /** When the writes of a value were called that may or may not take effect. Earliest first. */
  readonly unknownWrites: ReadonlyMap<ValueId, readonly number[]>;
  /** How many values there are. */
  readonly values: number;
}

/** Drops what proves nothing: reads that returned nothing, and writes that had no effect. */
export function registerHistory(operations: readonly Operation[]): RegisterHistory {
  const ids = new Map<string | null, ValueId>([[null, INITIAL]]);
  const accesses: Access[] = [];
  const unknownWrites = new Map<ValueId, number[]>();
  for (const operation of operations) {
    const { type, call, outcome } = operation;
    if (outcome.type === 'failed' || (outcome.type === 'unknown' && type === 'read')) continue;
    const value = idOf(ids, valueIn(operation));
    if (outcome.type === 'unknown') {
      unknownWrites.set(value, [...(unknownWrites.get(value) ?? []), call]);
    } else {
      assert(call <= outcome.at, 'an operation returns after it was called');
      accesses.push({ type: type === 'read' ? 'read' : 'write', value, call, at: outcome.at });
    }
  }
  accesses.sort((a, b) => a.call - b.call);
  for (const calls of unknownWrites.values()) calls.sort((a, b) => a - b);
  return { accesses, unknownWrites, values: ids.size };
}

/** What a write writes, and what a read that has returned saw; undefined for other reads. */
export function valueIn(operation: Operation): string | null | undefined {
  switch (operation.type) {
    case 'put':
      return operation.value;
    case 'delete':
      return null;
    case 'read':
      return operation.outcome.type === 'ok' ? operation.outcome.value : undefined;
    default:
      return unreachable(operation);
  }
}

function idOf(ids: Map<string | null, ValueId>, value: string | null | undefined): ValueId {
  assert(value !== undefined, 'only what has a value is in the history');
  const id = ids.get(value) ?? ids.size;
  ids.set(value, id);
  return id;
}
