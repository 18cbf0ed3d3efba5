import { compareLogId, type LogId, type NodeId, type RaftPlace, ZERO_LOG_ID } from '@metad/raft-core';
import { addAgainAdvice } from '../peers/repair-advice.ts';

/** What clients are told. */
export const REMOVED = 'this node was removed from its cluster: ask another one';

/** What its operator is told. */
export function removalMessage(node: NodeId): string {
  return (
    'this node was removed from its cluster, or its id was given to another data directory: stop it; or, ' +
    addAgainAdvice(node)
  );
}

/**
 * Whether this node was removed from its cluster. It may miss the entry that does so, and one that is new reads old
 * memberships without it; so a member has to have refused it by a committed membership that this node has not got beyond.
 * A leader that speaks to it has added it again: silence alone, as behind a partition, never means a removal.
 */
export class Removal {
  #without: LogId = ZERO_LOG_ID;

  /** A member has refused this node: this committed membership does not have it. */
  learn(without: LogId): void {
    if (compareLogId(without, this.#without) > 0) this.#without = without;
  }

  isIn({ leader, committedMembership }: Pick<RaftPlace, 'leader' | 'committedMembership'>): boolean {
    if (this.#without.index === 0 || leader !== null) return false;
    return compareLogId(this.#without, committedMembership.logId) >= 0;
  }
}
