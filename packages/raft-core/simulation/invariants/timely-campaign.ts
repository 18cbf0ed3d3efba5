import { isVotingDisk, type Message, type RaftStatus } from '@metad/raft-core';
import { type Invariant, Violation } from '../invariant.ts';

/**
 * A voter that hears no leader of its term and grants no vote campaigns within two election timeouts: nothing else that
 * it hears keeps it waiting (paper §5.2).
 */
export function timelyCampaign({
  electionTimeoutTicks,
}: {
  readonly electionTimeoutTicks: number;
}): Invariant {
  const waited = new Map<string, number>();
  const isWaiting = ({ id, instance, role, membership }: RaftStatus) =>
    role === 'follower' && isVotingDisk(membership.membership, { node: id, instance });
  return {
    started: ({ instance }) => void waited.set(instance, 0),
    moved({ node: { instance }, before, after }) {
      if (hasVoted(before, after) || after.role !== before.role || !isWaiting(after)) waited.set(instance, 0);
    },
    received({ instance }, message, status) {
      if (isReason(message, status)) waited.set(instance, 0);
    },
    ticked({ id, instance }, status) {
      if (!isWaiting(status)) return;
      const ticks = (waited.get(instance) ?? 0) + 1;
      waited.set(instance, ticks);
      if (ticks > 2 * electionTimeoutTicks) {
        throw new Violation(
          'timely campaign',
          `node ${id} has heard no leader for ${ticks} ticks, and waits`,
        );
      }
    },
  };
}

function hasVoted(before: RaftStatus, after: RaftStatus): boolean {
  return after.votedFor !== null && (after.votedFor !== before.votedFor || after.term !== before.term);
}

/** A message of the leader of the term; or of whom the vote went to, who asks once more. */
function isReason({ type, from, term }: Message, status: RaftStatus): boolean {
  if (term !== status.term) return false;
  if (type === 'requestVote') return from === status.votedFor;
  const isFeeding = type === 'appendEntries' || type === 'heartbeat' || type === 'installSnapshot';
  return isFeeding && from === status.leader;
}
