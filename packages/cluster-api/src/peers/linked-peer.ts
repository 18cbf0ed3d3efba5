import type { NodeId, NodeRecord } from '@metad/raft-core';
import type { PeerDialer } from './dialer.ts';
import type { LinkDirection } from './event.ts';
import type { PeerLink } from './link.ts';

/** What this node has to do with one other. */
export interface Peer {
  readonly node: NodeId;
  /** null: not a member (any more). */
  record: NodeRecord | null;
  dialer: PeerDialer | null;
  /** At most one live link for each direction. */
  readonly links: Record<LinkDirection, PeerLink | null>;
  /** Runs while links outlive the membership. */
  linger: NodeJS.Timeout | null;
}

export function openLinks(peer: Peer): PeerLink[] {
  return [peer.links.dialled, peer.links.accepted].filter((link) => link !== null);
}

/** A node that nobody knows the address of is reached over the connection that it has opened. */
export function linkTo(peer: Peer): PeerLink | null {
  return peer.links.dialled ?? peer.links.accepted;
}
