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

/** One key's history, reduced to what bears on its order. Accesses are named by their index. */
export interface RegisterHistory {
  /** By `call`. */
  readonly accesses: readonly Access[];
  /** By access: for a read the writes that it may see, for a write the reads that may see it. */
  readonly partners: readonly (readonly number[])[];
  /** By value: the reads of it. */
  readonly reads: readonly (readonly number[])[];
  /** By value: when the writes of it were called that may or may not take effect, earliest first. */
  readonly unknownWrites: readonly (readonly number[])[];
}

/** Drops what proves nothing: reads that returned nothing, and writes that had no effect. */
export function registerHistory(operations: readonly Operation[]): RegisterHistory {
  const ids = new Map<string | null, ValueId>([[null, INITIAL]]);
  const accesses: Access[] = [];
  const unknown: { readonly value: ValueId; readonly call: number }[] = [];
  for (const operation of operations) {
    const { type, call, outcome } = operation;
    if (outcome.type === 'failed' || (outcome.type === 'unknown' && type === 'read')) continue;
    const value = idOf(ids, valueIn(operation));
    if (outcome.type === 'unknown') {
      unknown.push({ value, call });
    } else {
      assert(call <= outcome.at, 'an operation returns after it was called');
      accesses.push({ type: type === 'read' ? 'read' : 'write', value, call, at: outcome.at });
    }
  }
  accesses.sort((a, b) => a.call - b.call);
  unknown.sort((a, b) => a.call - b.call);
  const reads: number[][] = Array.from(ids, () => []);
  const unknownWrites: number[][] = Array.from(ids, () => []);
  accesses.forEach(({ type, value }, index) => {
    if (type === 'read') reads[value]?.push(index);
  });
  for (const { value, call } of unknown) unknownWrites[value]?.push(call);
  return { accesses, partners: partnersOf(accesses, reads), reads, unknownWrites };
}

/**
 * A read may see a write of its value, unless it returned before the write was called, or another write lies wholly
 * between the two.
 */
function partnersOf(accesses: readonly Access[], reads: readonly (readonly number[])[]): number[][] {
  const partners: number[][] = accesses.map(() => []);
  const firstReturns = firstReturnsOfWrites(accesses);
  accesses.forEach(({ type, value, call, at }, write) => {
    if (type === 'read') return;
    const later = accesses.findIndex((other) => other.call > at);
    const overwritten = firstReturns[later] ?? Number.POSITIVE_INFINITY;
    for (const read of reads[value] ?? []) {
      const access = accesses[read];
      if (access === undefined || access.at < call || access.call > overwritten) continue;
      partners[write]?.push(read);
      partners[read]?.push(write);
    }
  });
  return partners;
}

/** By access: when the first of the writes returns that are called then or later. */
function firstReturnsOfWrites(accesses: readonly Access[]): number[] {
  let first = Number.POSITIVE_INFINITY;
  const backwards = accesses.toReversed().map(({ type, at }) => {
    if (type === 'write') first = Math.min(first, at);
    return first;
  });
  return backwards.reverse();
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
