import type { Membership, Message, NodeId } from '@metad/raft-core';
import { wallClockNanos } from './wall-clock.ts';

/** When a leader last heard from each peer: what `/metrics` shows as heartbeat and quorum times. Display only. */
export class QuorumContact {
  readonly #lastHeard = new Map<NodeId, bigint>();

  /** Notes the answers to a leader's messages. */
  observe(message: Message): void {
    if (message.type !== 'heartbeatResponse' && message.type !== 'appendEntriesResponse') return;
    this.#lastHeard.set(message.from, wallClockNanos());
  }

  /** Forgets everything: contacts count for one leadership only. */
  clear(): void {
    this.#lastHeard.clear();
  }

  /** The time of the last contact with each member; the leader is in contact with itself. */
  heartbeats(self: NodeId, membership: Membership): Map<NodeId, bigint | null> {
    const now = wallClockNanos();
    const heard = (node: NodeId) => (node === self ? now : (this.#lastHeard.get(node) ?? null));
    return new Map([...membership.nodes.keys()].map((node) => [node, heard(node)]));
  }

  /** The latest time at which a majority of every config had been heard; null when there was none. */
  lastQuorumAcked(self: NodeId, membership: Membership): bigint | null {
    const heartbeats = this.heartbeats(self, membership);
    let earliest: bigint | null = null;
    for (const config of membership.configs) {
      const times = config
        .map((node) => heartbeats.get(node) ?? 0n)
        .sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));
      const majority = times[Math.floor(config.length / 2)] ?? 0n;
      if (majority === 0n) return null;
      if (earliest === null || majority < earliest) earliest = majority;
    }
    return earliest;
  }
}
