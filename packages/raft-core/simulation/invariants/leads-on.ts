import { isVotingDisk, type RaftStatus } from '@metad/raft-core';
import { type Invariant, Violation } from '../invariant.ts';

/**
 * A leader goes on leading its term for as long as a quorum answers it; only a committed change that leaves it out of
 * the voters ends it sooner (paper §6).
 */
export function leadsOn(): Invariant {
  return {
    moved({ node: { id }, before, after }) {
      if (before.role !== 'leader' || after.role === 'leader' || before.term !== after.term) return;
      if (hasLeft(before) || hasLeft(after) || !isAnswered(before)) return;
      throw new Violation('leads on', `leader ${id} gives up term ${after.term}, though a quorum answers it`);
    },
  };
}

function hasLeft({ id, instance, membership, committed }: RaftStatus): boolean {
  return membership.logId.index <= committed && !isVotingDisk(membership.membership, { node: id, instance });
}

function isAnswered({ membership, peers }: RaftStatus): boolean {
  return membership.membership.configs.every(
    (config) => config.filter((node) => peers.get(node)?.recentlyActive === true).length * 2 > config.length,
  );
}
