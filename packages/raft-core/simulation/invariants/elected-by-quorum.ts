import type { NodeId, Term } from '@metad/raft-core';
import { type Invariant, Violation } from '../invariant.ts';

/** A leader was granted the votes of a majority of each config, its own included once that was on disk (paper §5.2, §6). */
export function electedByQuorum(): Invariant {
  const granted = new Map<string, Set<NodeId>>();

  function votesFor(candidate: NodeId, term: Term): Set<NodeId> {
    const name = `${candidate} in ${term}`;
    const votes = granted.get(name) ?? new Set();
    granted.set(name, votes);
    return votes;
  }

  return {
    sent({ id }, message) {
      if (message.type === 'requestVoteResponse' && message.granted)
        votesFor(message.to, message.term).add(id);
    },
    moved({ node: { id, store }, before, after }) {
      if (after.role !== 'leader' || before.role === 'leader') return;
      const votes = new Set(votesFor(id, after.term));
      const { term, votedFor } = store.initialState().hardState;
      if (term === after.term && votedFor === id) votes.add(id);
      for (const config of before.membership.membership.configs) {
        const count = config.filter((voter) => votes.has(voter)).length;
        if (count * 2 > config.length) continue;
        throw new Violation(
          'elected by a quorum',
          `node ${id} leads term ${after.term} by ${count} votes of [${config}]`,
        );
      }
    },
  };
}
