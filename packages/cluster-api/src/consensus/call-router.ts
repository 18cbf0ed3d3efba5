import type { NodeId } from '@metad/raft-core';
import type { PeerTransport } from '../peers/transport.ts';
import type { Call, CallOutcome } from './call.ts';
import type { LeaderCalls } from './leader-calls.ts';
import type { ConsensusMetrics } from './metrics.ts';
import type { Node } from './node.ts';

export interface CallRouterOptions {
  readonly node: Node;
  readonly leaderCalls: LeaderCalls;
  readonly transport: Pick<PeerTransport, 'call'>;
  readonly metrics: ConsensusMetrics;
  readonly tickMs: number;
  /** How long a call may look for a leader. */
  readonly leaderWaitMs: number;
  /** How long a write may take in all. */
  readonly proposeTimeoutMs: number;
  /** The same for changes of membership, which wait for nodes to catch up. */
  readonly membershipTimeoutMs: number;
}

/**
 * Brings a call from any node to whoever leads, once: it is sent again only where it has definitely not been taken.
 * `done` is answered when this node, too, has applied the entry, so that its clients can read what they wrote.
 */
export class CallRouter {
  readonly #options: CallRouterOptions;
  #openCalls = 0;

  constructor(options: CallRouterOptions) {
    this.#options = options;
  }

  /** Calls that are not answered yet. */
  get openCalls(): number {
    return this.#openCalls;
  }

  async execute(call: Call): Promise<CallOutcome> {
    this.#openCalls += 1;
    const outcome = await this.#route(call).finally(() => {
      this.#openCalls -= 1;
    });
    this.#options.metrics.calls.inc({ type: call.type, outcome: outcome.type });
    return outcome;
  }

  async #route(call: Call): Promise<CallOutcome> {
    const { node, tickMs, leaderWaitMs } = this.#options;
    const started = performance.now();
    const deadline = started + this.#timeoutMs(call);
    for (;;) {
      if (node.isStopped) return { type: 'refused', error: { type: 'stopping' } };
      const { leader } = node.state;
      const outcome =
        leader === null ? refusedWithoutLeader : await this.#send(call, leader, deadline - performance.now());
      if (!mayRetry(outcome)) return outcome;
      const ticks = Math.floor((started + leaderWaitMs - performance.now()) / tickMs);
      if (ticks < 1) return outcome;
      // One tick at a time: the leader that refused may still be the one this node knows.
      if (leader === null) await node.until((status) => status.leader !== null, ticks);
      else await node.until(() => false, 1);
    }
  }

  async #send(call: Call, leader: NodeId, timeoutMs: number): Promise<CallOutcome> {
    const { node, leaderCalls, transport } = this.#options;
    if (leader === node.id) return leaderCalls.execute(call);
    const outcome = await transport.call(leader, call, timeoutMs);
    if (outcome.type === 'done') await node.appliedHere(outcome.logId.index);
    return outcome;
  }

  #timeoutMs(call: Call): number {
    switch (call.type) {
      case 'propose':
      case 'transferLeader':
        return this.#options.proposeTimeoutMs;
      default:
        return this.#options.membershipTimeoutMs;
    }
  }
}

const refusedWithoutLeader: CallOutcome = {
  type: 'refused',
  error: { type: 'forwardToLeader', leader: null },
};

/** Only what was definitely not taken, and only because the right node was not found. */
function mayRetry(outcome: CallOutcome): boolean {
  return (
    outcome.type === 'refused' &&
    (outcome.error.type === 'forwardToLeader' || outcome.error.type === 'noLink')
  );
}
