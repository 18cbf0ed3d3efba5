import type { Invariant } from '../invariant.ts';
import type { CommittedLog } from './committed-log.ts';

/** No two nodes ever apply a different entry at the same index (paper, figure 3). */
export function stateMachineSafety(committed: CommittedLog): Invariant {
  return {
    applied(_node, entries, { term }) {
      for (const entry of entries) committed.add(entry, term);
    },
  };
}
