import type { Message, NodeId, Term } from '@metad/raft-core';
import { type Invariant, Violation } from '../invariant.ts';

interface Promised {
  term: Term;
  votedFor: NodeId | null;
}

/**
 * Each disk grants at most one vote in a term, and never goes back to an earlier term than one that it has promised
 * something in, also through a crash (paper §5.2).
 */
export function oneVotePerTerm(): Invariant {
  const promises = new Map<string, Promised>();
  return {
    sent({ id, instance }, message) {
      if (!isPromise(message)) return;
      const votedFor = voteIn(message, id);
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

/** A pre-vote names a term that has not begun; leaders' messages and forwarded reads promise nothing about this disk. */
function isPromise({ type }: Message): boolean {
  return ['requestVote', 'requestVoteResponse', 'appendEntriesResponse', 'heartbeatResponse'].includes(type);
}

function voteIn(message: Message, self: NodeId): NodeId | null {
  if (message.type === 'requestVote') return self;
  return message.type === 'requestVoteResponse' && message.granted ? message.to : null;
}
