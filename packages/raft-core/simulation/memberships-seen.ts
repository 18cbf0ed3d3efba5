import {
  isVoter,
  type LogIndex,
  type Membership,
  type NodeId,
  type NodeRecord,
  type StoredMembership,
} from '@metad/raft-core';
import type { Invariant, Transition } from './invariant.ts';

/** Every membership that some node has ever held and that is, or may still come, into effect. */
export class MembershipsSeen implements Invariant {
  #seen: StoredMembership[];
  #committed: LogIndex;

  constructor(first: StoredMembership) {
    this.#seen = [first];
    this.#committed = first.logId.index;
  }

  mayVote(id: NodeId): boolean {
    return this.#seen.some(({ membership }) => isVoter(membership, id));
  }

  moved({ before, after }: Transition): void {
    if (before.membership === after.membership) return;
    if (after.committedMembership.logId.index > this.#committed) {
      this.#committed = after.committedMembership.logId.index;
      this.#seen = this.#seen.filter(({ logId }) => logId.index >= this.#committed);
    }
    for (const one of [after.committedMembership, after.membership]) {
      if (one.logId.index >= this.#committed && !this.#seen.includes(one)) this.#seen.push(one);
    }
  }
}

/** The address tells the node, the instance its disk. */
export function recordOf(id: NodeId, instance: string): NodeRecord {
  return { addr: `10.0.0.${id}:21001`, instance };
}

export function instanceOf(id: NodeId, disk: number): string {
  return `n${id}#${disk}`;
}

/** The membership that a cluster begins with, all of its nodes on their first disks. */
export function firstMembership(voters: readonly NodeId[], learners: readonly NodeId[]): Membership {
  const nodes = [...voters, ...learners].map((id) => [id, recordOf(id, instanceOf(id, 1))] as const);
  return { configs: [voters], nodes: new Map(nodes) };
}
