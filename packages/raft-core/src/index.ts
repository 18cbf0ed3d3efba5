export { AssertionError, assert, unreachable } from './assert.ts';
export { bootstrapLog } from './bootstrap.ts';
export { DEFAULT_RAFT_LIMITS, type RaftConfig } from './config.ts';
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
export { checkStep, checkTick } from './input-invariants.ts';
export { checkInvariants, checkTransition } from './invariants.ts';
export type { ProposeResult } from './leader.ts';
export type { InitialState, LogReader, StoredMembership } from './log-reader.ts';
export {
  EMPTY_MEMBERSHIP,
  isJoint,
  isVoter,
  isVotingDisk,
  type Membership,
  members,
  type NodeRecord,
  voters,
} from './membership.ts';
export type { MembershipChange, MembershipRefusal, MembershipResult } from './membership-change.ts';
export type * from './message.ts';
export { Raft } from './raft.ts';
export { type HardState, INITIAL_HARD_STATE, onDiskBefore, type Ready, type Role } from './ready.ts';
export { checkReady } from './ready-invariants.ts';
export type { PeerStatus, RaftPlace, RaftStatus, Timers } from './status.ts';
export type { TransferResult } from './transfer.ts';
