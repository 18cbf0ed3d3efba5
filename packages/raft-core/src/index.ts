export { AssertionError, assert, unreachable } from './assert.ts';
export { type Entry, entryBytes, type Payload } from './entry.ts';
export {
  compareLogId,
  type LogId,
  type LogIndex,
  logIndex,
  NO_NODE,
  type NodeId,
  nextIndex,
  nextTerm,
  nodeId,
  previousIndex,
  type Term,
  term,
  ZERO_LOG_ID,
} from './ids.ts';
export type { InitialState, LogReader, StoredMembership } from './log-reader.ts';
export { EMPTY_MEMBERSHIP, type Membership, type NodeRecord } from './membership.ts';
export type * from './message.ts';
export { type HardState, INITIAL_HARD_STATE, type Ready, type Role } from './ready.ts';
