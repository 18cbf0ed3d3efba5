import { assert } from './assert.ts';
import type { NodeId, Term } from './ids.ts';
import { type FollowerState, type RaftState, type RoleState, resetElectionTimer } from './state.ts';

export function followerState(leader: NodeId | null): FollowerState {
  return { type: 'follower', leader, unsentReads: [], forwardedReads: new Map() };
}

/**
 * Follows `leader`, or nobody yet, in `term`. Does not touch the election timer of a node that was no leader: a higher
 * term alone is no sign of a live leader.
 */
export function becomeFollower(
  state: RaftState,
  { term, leader }: { readonly term: Term; readonly leader: NodeId | null },
): void {
  assert(term >= state.term, 'a term never falls');
  const { role } = state;
  if (term === state.term && role.type === 'follower' && role.leader === leader) return;
  assert(
    leader === null || term > state.term || role.type !== 'follower' || role.leader === null,
    () => `two leaders in term ${term}: one is ${leader}`,
  );
  if (term > state.term) adoptTerm(state, term);
  if (role.type === 'leader') resetElectionTimer(state);
  changeRole(state, followerState(leader));
}

/** A new term, in which this node has not voted. */
export function adoptTerm(state: RaftState, term: Term): void {
  assert(term > state.term, 'a term never falls');
  state.term = term;
  state.votedFor = null;
}

/** Every read that waits for a leader (this node or another) is dropped: only the next one can vouch for it. */
export function changeRole(state: RaftState, next: RoleState): void {
  // One by one: there may be more than a call takes as arguments.
  for (const id of pendingReads(state)) state.outbox.droppedReads.push(id);
  state.role = next;
}

function pendingReads({ role, config }: RaftState): number[] {
  switch (role.type) {
    case 'follower':
      return [...role.unsentReads, ...[...role.forwardedReads.values()].map((read) => read.id)];
    case 'leader':
      return [...role.reads.confirming.flatMap((batch) => batch.reads), ...role.reads.waiting]
        .filter((read) => read.from === config.id)
        .map((read) => read.id);
    case 'preCandidate':
    case 'candidate':
      return [];
  }
}
