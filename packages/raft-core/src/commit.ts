import { assert } from './assert.ts';
import { type LogIndex, logIndex } from './ids.ts';
import { isJoint } from './membership.ts';
import { leaveJoint } from './membership-change.ts';
import { reachedByQuorum } from './quorum.ts';
import { appendEntry, dropRemovedPeers } from './replication.ts';
import { effectiveMembership, isOwnVoter, type LeaderState, type RaftState } from './state.ts';
import { startLeaving } from './transfer.ts';

/**
 * Commits what a quorum has on disk, this node included only as far as its own disk has answered. Entries of earlier
 * terms are never counted: they commit with the first one of this term behind them (paper §5.4.2, figure 8).
 */
export function maybeCommit(state: RaftState, leader: LeaderState): boolean {
  const { log, config } = state;
  const before = log.committed;
  const reached = reachedByQuorum(effectiveMembership(state).configs, (node) =>
    node === config.id ? log.persisted : (leader.peers.get(node)?.matched ?? 0),
  );
  assert(Number.isFinite(reached), 'a leader has voters');
  if (reached < leader.firstIndex) return false;
  if (!log.commitTo(logIndex(reached))) return false;
  leader.appendsDue = true;
  finishMembershipChange(state, leader, before);
  return true;
}

/** Follows up a membership that has just been committed, or that an earlier leader has left half-way. */
function finishMembershipChange(state: RaftState, leader: LeaderState, committedBefore: LogIndex): void {
  const { logId, membership } = state.memberships.effective;
  if (logId.index > state.log.committed) return;
  // An earlier commit of this term has seen to it.
  if (committedBefore >= leader.firstIndex && logId.index <= committedBefore) return;
  dropRemovedPeers(state, leader);
  if (isJoint(membership)) {
    appendEntry(state, leader, { type: 'membership', membership: leaveJoint(membership) });
  } else if (!isOwnVoter(state)) {
    startLeaving(state, leader);
  }
}
