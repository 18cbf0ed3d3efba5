import type { NodeId, RaftStatus } from '@metad/raft-core';

/** What a node tells the rest of its process whenever it changes. */
export interface NodeState {
  readonly role: RaftStatus['role'];
  readonly term: number;
  readonly leader: NodeId | null;
  /** Whether this node has applied, since its start, all that was committed when it first reached a leader. */
  readonly caughtUp: boolean;
}

export function isSameState(one: NodeState, other: NodeState): boolean {
  const { role, term, leader, caughtUp } = one;
  return role === other.role && term === other.term && leader === other.leader && caughtUp === other.caughtUp;
}

/** What is new, in words. */
export function describeChange(last: NodeState, next: NodeState): string {
  if (last.leader !== next.leader) return next.leader === null ? 'no leader' : `node ${next.leader} leads`;
  if (last.caughtUp !== next.caughtUp) return 'caught up: serving reads';
  return `${next.role} in term ${next.term}`;
}
