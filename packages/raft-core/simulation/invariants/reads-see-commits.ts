import type { LogIndex, ReadId } from '@metad/raft-core';
import { type Invariant, type NodeView, Violation } from '../invariant.ts';

/** A linearizable read is served at an index that includes all that was committed anywhere when it came (thesis §6.4). */
export function readsSeeCommits(): Invariant {
  let committed = 0 as LogIndex;
  const asked = new Map<string, LogIndex>();
  const nameOf = ({ instance }: NodeView, id: ReadId) => `${instance}:${id}`;
  return {
    moved({ after }) {
      if (after.committed > committed) committed = after.committed;
    },
    readAsked: (node, id) => void asked.set(nameOf(node, id), committed),
    readIndexed(node, id, index) {
      const atLeast = asked.get(nameOf(node, id));
      if (atLeast !== undefined && index < atLeast) {
        throw new Violation(
          'reads see commits',
          `node ${node.id} reads at ${index}, ${atLeast} was committed before`,
        );
      }
    },
  };
}
