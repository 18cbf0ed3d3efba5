import { compareLogId } from '@metad/raft-core';
import { type Invariant, type Transition, Violation } from '../invariant.ts';
import type { CommittedLog } from './committed-log.ts';

/** An entry that is committed in a term is in the logs of the leaders of all later terms (paper, figure 3). */
export function leaderCompleteness(committed: CommittedLog): Invariant {
  return {
    moved(transition) {
      const { before, after } = transition;
      if (after.role === 'leader' && before.role !== 'leader') checkLog(transition, committed);
    },
  };
}

function checkLog({ node: { id, store }, after }: Transition, committed: CommittedLog): void {
  for (let index = committed.length; index > store.compacted.index; index -= 1) {
    const entry = committed.at(index);
    if (entry === undefined || entry.committedIn >= after.term) continue;
    const own = store.log.logId(entry.index);
    if (own === undefined || compareLogId(own, entry) !== 0) {
      throw new Violation('leader completeness', `leader ${id} of term ${after.term} lacks entry ${index}`);
    }
  }
}
