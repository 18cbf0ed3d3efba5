import type { NodeId, RaftStatus } from '@metad/raft-core';

/** What a node tells the rest of its process whenever it changes. */
export interface NodeState {
  readonly role: RaftStatus['role'];
  readonly term: number;
  readonly leader: NodeId | null;
  /** Whether this node has applied, since its start, all that was committed when it first reached a leader. */
  readonly caughtUp: boolean;
  /** Whether this node is no member of its cluster any more, as far as it was told; it goes on to listen. */
  readonly isRemoved: boolean;
  /** Why this node has ended, though its process has not; null: it has not. */
  readonly quarantine: string | null;
}

function isSameState(one: NodeState, other: NodeState): boolean {
  const { role, term, leader, caughtUp, isRemoved, quarantine } = one;
  const isSamePlace = role === other.role && term === other.term && leader === other.leader;
  const servesAlike = caughtUp === other.caughtUp && isRemoved === other.isRemoved;
  return isSamePlace && servesAlike && quarantine === other.quarantine;
}

/** What is new, in words. */
export function describeChange(last: NodeState, next: NodeState): string {
  if (next.quarantine !== null) return 'takes no part any more';
  if (last.isRemoved !== next.isRemoved)
    return next.isRemoved ? 'removed from the cluster' : 'a member again';
  if (last.leader !== next.leader) return next.leader === null ? 'no leader' : `node ${next.leader} leads`;
  if (last.caughtUp !== next.caughtUp) return 'caught up: serving reads';
  return `${next.role} in term ${next.term}`;
}

/** A node's state, and those who are told when it changes. */
export class StateFeed {
  readonly #listeners = new Set<(state: NodeState, last: NodeState) => void>();
  #current: NodeState;

  constructor(initial: NodeState) {
    this.#current = initial;
  }

  get current(): NodeState {
    return this.#current;
  }

  listen(listener: (state: NodeState, last: NodeState) => void): void {
    this.#listeners.add(listener);
  }

  /** Tells nobody when nothing is new. */
  enter(change: Partial<NodeState>): void {
    const last = this.#current;
    const next = { ...last, ...change };
    if (isSameState(last, next)) return;
    this.#current = next;
    for (const listener of this.#listeners) listener(next, last);
  }

  /** Without telling anyone: the node has ended. */
  resign(): void {
    if (this.#current.role === 'leader') this.#current = { ...this.#current, role: 'follower', leader: null };
  }
}
