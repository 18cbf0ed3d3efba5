import type { LogIndex, Term } from '@metad/raft-core';
import { type Invariant, type NodeView, Violation } from '../invariant.ts';

/**
 * A leader commits only an entry of its own term that a majority of each config has on disk, itself included only when
 * its own disk has it, learners never (paper §5.4.2, §6).
 */
export function committedOnQuorum(): Invariant {
  return {
    moved({ node, before, after }, nodes) {
      if (after.role !== 'leader' || before.role !== 'leader' || after.committed === before.committed) return;
      const holders = nodes.filter((other) => holds(other, { term: after.term, index: after.committed }));
      for (const config of before.membership.membership.configs) {
        const holding = config.filter((voter) => holders.some(({ id }) => id === voter)).length;
        if (holding * 2 > config.length) continue;
        throw new Violation(
          'committed on a quorum',
          `leader ${node.id} commits ${after.term}.${after.committed}, which ${holding} of [${config}] hold`,
        );
      }
    },
  };
}

function holds(
  { store }: NodeView,
  { term, index }: { readonly term: Term; readonly index: LogIndex },
): boolean {
  return index <= store.compacted.index || store.log.logId(index)?.term === term;
}
