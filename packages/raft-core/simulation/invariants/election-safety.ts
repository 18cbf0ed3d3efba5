import type { NodeId, Term } from '@metad/raft-core';
import { type Invariant, Violation } from '../invariant.ts';

/** At most one leader can be elected in a given term (paper, figure 3). */
export function electionSafety(): Invariant {
  const leaders = new Map<Term, NodeId>();
  return {
    moved({ node: { id }, after }) {
      if (after.role !== 'leader') return;
      const known = leaders.get(after.term);
      if (known === undefined) leaders.set(after.term, id);
      else if (known !== id) {
        throw new Violation('election safety', `nodes ${known} and ${id} both lead in term ${after.term}`);
      }
    },
  };
}
