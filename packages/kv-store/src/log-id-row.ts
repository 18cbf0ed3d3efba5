import { type LogId, logIndex, NO_NODE, nodeId, term } from '@metad/raft-core';

/** A log id as three columns of a row. */
export type LogIdRow = readonly [term: number, leader: number, index: number];

/** Throws a RangeError when the columns hold no log id. */
export function logIdFromRow([entryTerm, leader, index]: LogIdRow): LogId {
  return { term: term(entryTerm), leader: leader === 0 ? NO_NODE : nodeId(leader), index: logIndex(index) };
}
