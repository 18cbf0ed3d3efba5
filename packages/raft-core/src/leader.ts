import { assert } from './assert.ts';
import { maybeCommit } from './commit.ts';
import { entryBytes, type Payload } from './entry.ts';
import { type LogId, maxIndex, type NodeId, nextIndex, previousIndex } from './ids.ts';
import { isVoter, type Membership, voters } from './membership.ts';
import { changeMembership, type MembershipChange, type MembershipResult } from './membership-change.ts';
import type { AppendEntriesResponse, HeartbeatResponse } from './message.ts';
import { voteResult } from './quorum.ts';
import { answerConfirmed, confirmWaiting } from './read-index.ts';
import { addNewPeers, appendEntry, beginRound, handleContact, maybeMatchPeer } from './replication.ts';
import { becomeFollower, changeRole } from './role.ts';
import { effectiveMembership, type LeaderState, type RaftState } from './state.ts';
import { sendTimeoutNow, tickTransfer } from './transfer.ts';

export type ProposeResult =
  | { readonly type: 'appended'; readonly logId: LogId }
  | { readonly type: 'notLeader'; readonly leader: NodeId | null }
  /** Too much is not committed yet: try again when some of it is. */
  | { readonly type: 'overloaded' }
  /** Leadership is being handed over: another node will take proposals soon. */
  | { readonly type: 'transferring' };

export function becomeLeader(state: RaftState): void {
  assert(state.role.type === 'candidate', 'only a candidate wins an election');
  const leader: LeaderState = {
    type: 'leader',
    peers: new Map(),
    firstIndex: nextIndex(state.log.last.index),
    round: 0,
    reads: { waiting: [], confirming: [] },
    transfer: null,
    heartbeatElapsedTicks: 0,
    quorumCheckElapsedTicks: 0,
    appendsDue: true,
  };
  changeRole(state, leader);
  addNewPeers(state, leader);
  // Commits the entries of earlier terms, which it may not do by counting them (paper §8).
  appendEntry(state, leader, { type: 'blank' });
}

export function propose(state: RaftState, leader: LeaderState, data: Uint8Array): ProposeResult {
  if (leader.transfer !== null) return { type: 'transferring' };
  const payload: Payload = { type: 'command', data };
  const uncommitted = uncommittedBytes(state, leader);
  const bytes = uncommitted + entryBytes({ payload });
  if (uncommitted > 0 && bytes > state.config.maxUncommittedBytes) return { type: 'overloaded' };
  return { type: 'appended', logId: appendEntry(state, leader, payload) };
}

/** Of this leader's own entries; those of earlier terms are not its doing. */
function uncommittedBytes({ log }: RaftState, { firstIndex }: LeaderState): number {
  return log.bytesBetween({ after: maxIndex(log.committed, previousIndex(firstIndex)), to: log.last.index });
}

/**
 * One change at a time, and none before an entry of this term is committed: else two leaders could make changes that
 * share no quorum (the flaw found in the thesis' single-server changes in 2015; it holds for any change).
 */
export function proposeMembership(
  state: RaftState,
  leader: LeaderState,
  change: MembershipChange,
): MembershipResult {
  if (leader.transfer !== null) return { type: 'transferring' };
  const { log, memberships } = state;
  const { logId, membership } = memberships.effective;
  if (logId.index > log.committed) return { type: 'inProgress', change: logId };
  if (log.committed < leader.firstIndex) {
    return {
      type: 'inProgress',
      change: { term: state.term, leader: state.config.id, index: leader.firstIndex },
    };
  }
  const changed = changeMembership(membership, change);
  if (changed.type !== 'changed') return changed;
  const behind = newVoterWithoutLog(leader, membership, changed.membership);
  if (behind !== undefined) return { type: 'learnerBehind', node: behind };
  return {
    type: 'appended',
    logId: appendEntry(state, leader, { type: 'membership', membership: changed.membership }),
  };
}

/**
 * A node with an empty log grants no votes, so a config that needs it could never elect a leader, should this one fail
 * before it is fed.
 */
function newVoterWithoutLog(leader: LeaderState, present: Membership, next: Membership): NodeId | undefined {
  return [...voters(next)].find((node) => !isVoter(present, node) && leader.peers.get(node)?.matched === 0);
}

export function handleAppendEntriesResponse(
  state: RaftState,
  leader: LeaderState,
  response: AppendEntriesResponse,
): void {
  noteAnswer(state, leader, response);
  if (!maybeMatchPeer(state, leader, response)) return;
  maybeCommit(state, leader);
  // Committing its own removal may have made it step down.
  if (state.role === leader && leader.transfer?.to === response.from) sendTimeoutNow(state, leader);
}

export function handleHeartbeatResponse(
  state: RaftState,
  leader: LeaderState,
  response: HeartbeatResponse,
): void {
  noteAnswer(state, leader, response);
  const progress = leader.peers.get(response.from);
  if (progress !== undefined) handleContact(state, leader, progress);
}

function noteAnswer(
  state: RaftState,
  leader: LeaderState,
  { from, round }: AppendEntriesResponse | HeartbeatResponse,
): void {
  const progress = leader.peers.get(from);
  if (progress === undefined) return;
  assert(round <= leader.round, 'a round is answered only after it has begun');
  progress.recentlyActive = true;
  if (round <= progress.answeredRound) return;
  progress.answeredRound = round;
  answerConfirmed(state, leader);
}

export function tickLeader(state: RaftState, leader: LeaderState): void {
  leader.quorumCheckElapsedTicks += 1;
  if (leader.quorumCheckElapsedTicks >= state.config.electionTimeoutTicks) {
    leader.quorumCheckElapsedTicks = 0;
    if (!maybeKeepLeading(state, leader)) return;
  }
  tickTransfer(state, leader);
  if (state.role !== leader) return;
  leader.heartbeatElapsedTicks += 1;
  if (leader.heartbeatElapsedTicks < state.config.heartbeatTicks) return;
  leader.heartbeatElapsedTicks = 0;
  beginRound(state, leader, 'peers');
  confirmWaiting(state, leader);
  answerConfirmed(state, leader);
  sendTimeoutNow(state, leader);
}

/**
 * A leader that no quorum has answered for an election timeout steps down: another may lead by now, and its clients
 * should not wait for what it cannot commit (thesis §6.2).
 */
function maybeKeepLeading(state: RaftState, leader: LeaderState): boolean {
  const { id } = state.config;
  const answered = (node: NodeId) => node === id || leader.peers.get(node)?.recentlyActive === true;
  if (voteResult(effectiveMembership(state).configs, answered) !== 'won') {
    becomeFollower(state, { term: state.term, leader: null });
    return false;
  }
  for (const progress of leader.peers.values()) progress.recentlyActive = false;
  return true;
}
