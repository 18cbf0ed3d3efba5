import { assert } from './assert.ts';

declare const brand: unique symbol;

/** A positive integer that names one member for all time; an address is not an identity. */
export type NodeId = number & { readonly [brand]: 'NodeId' };
/** Raft's logical clock; 0 before the first election. */
export type Term = number & { readonly [brand]: 'Term' };
/** The position of an entry in the log; the first entry is 1, 0 means "before the first". */
export type LogIndex = number & { readonly [brand]: 'LogIndex' };

/**
 * Names one entry: two entries with equal term and index are the same entry (log matching, paper §5.3).
 * `leader` follows from `term` and is carried only so that a log id can be shown with it.
 */
export interface LogId {
  readonly term: Term;
  readonly leader: NodeId;
  readonly index: LogIndex;
}

/** Throws a RangeError unless `value` is a positive safe integer. */
export function nodeId(value: number): NodeId {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`not a node id: ${value}`);
  return value as NodeId;
}

/** Throws a RangeError unless `value` is a non-negative safe integer. */
export function term(value: number): Term {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a term: ${value}`);
  return value as Term;
}

/** Throws a RangeError unless `value` is a non-negative safe integer. */
export function logIndex(value: number): LogIndex {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a log index: ${value}`);
  return value as LogIndex;
}

/** Stands for "no node" where a log id needs a leader but there is no entry yet. */
export const NO_NODE = 0 as NodeId;

/** The log id before the first entry. */
export const ZERO_LOG_ID: LogId = { term: 0 as Term, leader: NO_NODE, index: 0 as LogIndex };

export function nextIndex(index: LogIndex): LogIndex {
  return (index + 1) as LogIndex;
}

export function previousIndex(index: LogIndex): LogIndex {
  assert(index > 0, 'there is no index before 0');
  return (index - 1) as LogIndex;
}

export function nextTerm(value: Term): Term {
  return (value + 1) as Term;
}

/**
 * Orders logs by how up to date they are: the later last term, then the longer log (paper §5.4.1).
 * The only place where two log ids are compared.
 */
export function compareLogId(a: LogId, b: LogId): number {
  return a.term - b.term || a.index - b.index;
}

/** The index `count` entries behind `index`. */
export function addToIndex(index: LogIndex, count: number): LogIndex {
  assert(count >= 0, 'indexes are moved back by previousIndex only');
  return (index + count) as LogIndex;
}

export function minIndex(a: LogIndex, b: LogIndex): LogIndex {
  return a < b ? a : b;
}

export function maxIndex(a: LogIndex, b: LogIndex): LogIndex {
  return a > b ? a : b;
}

export function previousTerm(value: Term): Term {
  assert(value > 0, 'there is no term before 0');
  return (value - 1) as Term;
}

export function maxTerm(a: Term, b: Term): Term {
  return a > b ? a : b;
}
