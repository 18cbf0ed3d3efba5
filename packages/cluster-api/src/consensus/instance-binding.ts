import type { NodeId, NodeRecord } from '@metad/raft-core';
import type { Logger } from 'pino';
import type { PeerIdentity } from '../peers/transport.ts';
import type { Node } from './node.ts';

/** Which data directory a node has. */
type Member = Pick<PeerIdentity, 'node' | 'instance'>;

/**
 * Completes the membership of an initial cluster. Its members could not know each other's instance ids when they wrote
 * it; the first leader learns them as the peers connect and records them. From then on another disk under a known id
 * is refused: a voter that was wiped can't vote a second time.
 */
export class InstanceBinding {
  readonly #node: Node;
  readonly #logger: Logger;
  /** Whoever was let in last under each id. */
  readonly #instances = new Map<NodeId, string>();
  #running = false;

  constructor(options: { readonly node: Node; readonly logger: Logger; readonly self: Member }) {
    this.#node = options.node;
    this.#logger = options.logger;
    this.#instances.set(options.self.node, options.self.instance);
    options.node.onState(() => this.#start());
  }

  /** Takes note of a peer that was admitted. */
  learn(peer: Member): void {
    if (!this.#node.status().membership.membership.nodes.has(peer.node)) return;
    this.#instances.set(peer.node, peer.instance);
    this.#start();
  }

  get #leads(): boolean {
    return this.#node.state.role === 'leader' && !this.#node.isStopped;
  }

  #start(): void {
    if (this.#running || !this.#leads || this.#next() === null) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    const patienceTicks = 100;
    for (let next = this.#next(); next !== null && this.#leads; next = this.#next()) {
      const { node, record } = next;
      const outcome = await this.#node.changeMembership({ type: 'addLearner', node, record }, patienceTicks);
      this.#logger.debug({ node, outcome: outcome.type }, 'recording the instance of a member');
      // Refused while another change is under way, or not committed: once more a little later.
      if (outcome.type !== 'done') await this.#node.until(({ role }) => role !== 'leader', 2);
    }
    this.#running = false;
  }

  /** A member whose instance is known here but not recorded; null when there is none. */
  #next(): { readonly node: NodeId; readonly record: NodeRecord } | null {
    for (const [node, { addr, instance }] of this.#node.status().membership.membership.nodes) {
      const known = this.#instances.get(node);
      if (instance === undefined && known !== undefined) return { node, record: { addr, instance: known } };
    }
    return null;
  }
}
