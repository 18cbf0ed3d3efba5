import { encodeCommand, FIRST_FEATURE_LEVEL, MAX_FEATURE_LEVEL } from '@metad/kv-store';
import type { NodeId } from '@metad/raft-core';
import type { Logger } from 'pino';
import type { SupportedLevels } from '../peers/transport.ts';
import type { Node } from './node.ts';

/** What this node can take part in. The operator's limit holds the level back and never makes the node unfit for it. */
export function supportedLevels(maxFeatureLevel: number | null): SupportedLevels {
  return {
    known: MAX_FEATURE_LEVEL,
    allowed: Math.min(maxFeatureLevel ?? MAX_FEATURE_LEVEL, MAX_FEATURE_LEVEL),
  };
}

export interface FeatureLevelsOptions {
  readonly node: Node;
  /** The level of the state that this node has applied. */
  readonly present: () => number;
  readonly own: SupportedLevels;
  /** What a peer that is connected said of itself; null while it is not. */
  readonly levelsOf: (peer: NodeId) => SupportedLevels | null;
  readonly logger: Logger;
}

/** How long the leader waits for the members before it says who is missing, and again whenever that changes. */
const PATIENCE_TICKS = 100;

/**
 * Raises the cluster's feature level: the leader proposes what all members, learners too, know and allow. A member that
 * is not connected could come back with an older release, so it holds the level back.
 */
export class FeatureLevels {
  readonly #options: FeatureLevelsOptions;
  /** The highest that this node has proposed since it leads: it may be committed and not applied yet. */
  #proposed = FIRST_FEATURE_LEVEL;
  #shown: number;
  #running = false;

  constructor(options: FeatureLevelsOptions) {
    const { node, present, own, logger } = options;
    this.#options = options;
    this.#shown = present();
    if (own.allowed < Math.min(this.#shown, own.known)) {
      logger.warn(
        `max_feature_level is ${own.allowed}, but the cluster is at feature level ${this.#shown}: it stays there`,
      );
    }
    node.onApplied(() => this.#show());
    node.onState(() => this.#start());
    this.#start();
  }

  /** On the leader: what a node that is added must know at least. */
  get required(): number {
    return Math.max(this.#options.present(), this.#proposed);
  }

  get #leads(): boolean {
    return this.#options.node.state.role === 'leader' && !this.#options.node.isStopped;
  }

  #show(): void {
    const to = this.#options.present();
    if (to === this.#shown) return;
    this.#options.logger.info({ from: this.#shown, to }, `the cluster has risen to feature level ${to}`);
    this.#shown = to;
  }

  #start(): void {
    if (!this.#leads) this.#proposed = FIRST_FEATURE_LEVEL;
    if (this.#running || !this.#leads) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    const { node, present, own } = this.#options;
    let told = '';
    while (this.#leads && present() < own.allowed) {
      await node.until(({ role }) => role !== 'leader' || this.#attainable() > present(), PATIENCE_TICKS);
      if (!this.#leads) break;
      const level = this.#attainable();
      if (level > present()) {
        await this.#raise(level);
      } else {
        told = this.#tell(told);
      }
    }
    this.#running = false;
  }

  async #raise(level: number): Promise<void> {
    const { node, present } = this.#options;
    this.#proposed = Math.max(this.#proposed, level);
    const outcome = await node.propose(encodeCommand({ type: 'setFeatureLevel', level }, present()));
    // Refused while too much is in flight, or not committed: once more a little later.
    if (outcome.type !== 'done') await node.until(({ role }) => role !== 'leader', 2);
  }

  /** What every member allows now; the first level while one is not connected. */
  #attainable(): number {
    const { own } = this.#options;
    return Math.min(
      own.allowed,
      ...this.#others().map(({ levels }) => levels?.allowed ?? FIRST_FEATURE_LEVEL),
    );
  }

  /** Who is leaving still counts until that is committed. */
  #others(): { readonly peer: NodeId; readonly levels: SupportedLevels | null }[] {
    const { node, levelsOf } = this.#options;
    const { membership, committedMembership } = node.status();
    const members = new Set([
      ...membership.membership.nodes.keys(),
      ...committedMembership.membership.nodes.keys(),
    ]);
    members.delete(node.id);
    return [...members].map((peer) => ({ peer, levels: levelsOf(peer) }));
  }

  /** Says who holds the level back unless that was said already. */
  #tell(told: string): string {
    const { logger, own, present } = this.#options;
    const reasons = this.#others()
      .filter(({ levels }) => levels === null || levels.allowed <= present())
      .map(({ peer, levels }) => `node ${peer} ${holdsBack(levels)}`);
    const text = reasons.join(', ');
    if (text !== told && text !== '') {
      logger.info(
        `the feature level stays ${present()}, while this node could go to ${own.allowed}: ${text}`,
      );
    }
    return text;
  }
}

function holdsBack(levels: SupportedLevels | null): string {
  if (levels === null) return 'is not connected';
  const { known, allowed } = levels;
  return known > allowed ? `is held at ${allowed} by max_feature_level` : `knows no more than ${known}`;
}
