import { assert } from './assert.ts';
import type { Entry } from './entry.ts';
import type { LogIndex, Term } from './ids.ts';
import { type Membership, voters } from './membership.ts';
import type { HardState } from './ready.ts';

/**
 * The log and the hard state that form a new cluster: the same on every first voter, persisted by each before it
 * starts its Raft. The entry is committed from the beginning: all that ever start with it agree on it. It stands in
 * term 1, whose vote is spent, so that no leader can put another entry there.
 */
export function bootstrapLog(membership: Membership): {
  readonly hardState: HardState;
  readonly entry: Entry;
} {
  const [first] = [...voters(membership)].sort((a, b) => a - b);
  assert(first !== undefined, 'a cluster begins with a voter');
  const term = 1 as Term;
  const index = 1 as LogIndex;
  return {
    hardState: { term, votedFor: first, committed: index },
    entry: { term, leader: first, index, payload: { type: 'membership', membership } },
  };
}
