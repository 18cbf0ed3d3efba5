import type { RaftPlace, StoredMembership } from '@metad/raft-core';
import type { PeerTransport } from '../peers/transport.ts';

/** Tells the transport whom to keep a connection to, as the membership changes. */
export class PeerList {
  readonly #transport: Pick<PeerTransport, 'setPeers'>;
  #told: { readonly membership: StoredMembership; readonly committed: StoredMembership } | null = null;

  constructor(transport: Pick<PeerTransport, 'setPeers'>) {
    this.#transport = transport;
  }

  /** Whoever leaves stays connected until its removal is committed, so that it learns of it. */
  follow({ membership, committedMembership }: RaftPlace): void {
    if (membership === this.#told?.membership && committedMembership === this.#told.committed) return;
    this.#told = { membership, committed: committedMembership };
    const { nodes } = membership.membership;
    const peers = new Map([...committedMembership.membership.nodes, ...nodes]);
    this.#transport.setPeers(peers, membership.logId);
  }
}
