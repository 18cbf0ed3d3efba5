import type { NodeId, Term } from '@metad/raft-core';
import { type Invariant, Violation } from '../invariant.ts';

interface Promised {
  term: Term;
  votedFor: NodeId | null;
}

/**
 * Each disk grants at most one vote in a term, and never goes back to an earlier term, also through a crash (paper
 * §5.2): whatever it has told others, it remembers.
 */
export function oneVotePerTerm(): Invariant {
  const promises = new Map<string, Promised>();
  return {
    sent({ id, instance }, message) {
      // Names the term of a campaign that has not begun.
      if (message.type === 'requestPreVote' || message.type === 'requestPreVoteResponse') return;
      const votedFor =
        message.type === 'requestVote'
          ? id
          : message.type === 'requestVoteResponse' && message.granted
            ? message.to
            : null;
      const known = promises.get(instance);
      if (known === undefined || message.term > known.term) {
        promises.set(instance, { term: message.term, votedFor });
        return;
      }
      if (message.term < known.term || votedFor === null) return;
      if (known.votedFor !== null && known.votedFor !== votedFor) {
        throw new Violation(
          'one vote per term',
          `node ${id} votes for ${known.votedFor} and ${votedFor} in term ${known.term}`,
        );
      }
      known.votedFor = votedFor;
    },
    started({ id, instance }, { hardState }) {
      const known = promises.get(instance);
      if (known === undefined) return;
      const { term, votedFor } = hardState;
      const forgotten =
        term < known.term || (term === known.term && known.votedFor !== null && votedFor !== known.votedFor);
      if (forgotten) {
        throw new Violation(
          'one vote per term',
          `node ${id} starts in term ${term} and forgets its vote in ${known.term}`,
        );
      }
    },
  };
}
