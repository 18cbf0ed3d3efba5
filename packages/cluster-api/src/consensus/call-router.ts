import type { NodeId } from '@metad/raft-core';
import type { PeerTransport } from '../peers/transport.ts';
import type { Call, CallOutcome } from './call.ts';
import type { LeaderCalls } from './leader-calls.ts';
import type { ConsensusMetrics } from './metrics.ts';
import type { Node } from './node.ts';
import { REMOVED } from './removal.ts';

export interface CallRouterOptions {
  readonly node: Pick<Node, 'id' | 'isStopped' | 'state' | 'until' | 'appliedHere' | 'onState'>;
  readonly leaderCalls: Pick<LeaderCalls, 'execute'>;
  readonly transport: Pick<PeerTransport, 'call'>;
  readonly metrics: ConsensusMetrics;
  readonly tickMs: number;
  /** Calls held at once, those that look for a leader included; beyond it they are refused as `overloaded`. */
  readonly maxOpenCalls: number;
  /** The same for the bytes of their commands; one alone may have more. */
  readonly maxOpenBytes: number;
  /** How long a call may look for a leader. */
  readonly leaderWaitMs: number;
  /** How long a write may take in all. */
  readonly proposeTimeoutMs: number;
  /** The same for changes of membership, which wait for nodes to catch up. */
  readonly membershipTimeoutMs: number;
}

/** A write that another node was asked to carry out, and has not answered. */
interface ForwardedWrite {
  readonly leader: NodeId;
  readonly abandon: () => void;
}

/** How long the answers of a leader that has handed over in order may still be on their way. */
const LAST_ANSWER_TICKS = 3;

/**
 * Brings a call from any node to whoever leads, once: it is sent again only where it has definitely not been taken.
 * `done` is answered when this node, too, has applied the entry, so that its clients can read what they wrote.
 */
export class CallRouter {
  readonly #options: CallRouterOptions;
  readonly #forwarded = new Set<ForwardedWrite>();
  #openCalls = 0;
  #openBytes = 0;
  #isClosed = false;

  constructor(options: CallRouterOptions) {
    this.#options = options;
    options.node.onState(({ leader }) => {
      if (leader !== null) void this.#abandonThoseNotWith(leader);
    });
  }

  /** Calls that are not answered yet. */
  get openCalls(): number {
    return this.#openCalls;
  }

  /** Takes no further calls; those that are open go on. */
  close(): void {
    this.#isClosed = true;
  }

  async execute(call: Call): Promise<CallOutcome> {
    if (this.#isClosed) return { type: 'refused', error: { type: 'stopping' } };
    const bytes = call.type === 'propose' ? call.command.byteLength : 0;
    if (!this.#hasRoomFor(bytes)) return { type: 'refused', error: { type: 'overloaded' } };
    this.#openCalls += 1;
    this.#openBytes += bytes;
    try {
      const outcome = await this.#route(call);
      this.#options.metrics.calls.add(call.type, outcome.type);
      return outcome;
    } finally {
      this.#openCalls -= 1;
      this.#openBytes -= bytes;
    }
  }

  #hasRoomFor(bytes: number): boolean {
    const { maxOpenCalls, maxOpenBytes } = this.#options;
    if (this.#openCalls >= maxOpenCalls) return false;
    return this.#openBytes === 0 || this.#openBytes + bytes <= maxOpenBytes;
  }

  async #route(call: Call): Promise<CallOutcome> {
    const { node, tickMs, leaderWaitMs } = this.#options;
    const timeoutMs = this.#timeoutMs(call);
    const startedAt = performance.now();
    const deadline = startedAt + timeoutMs;
    const lookUntil = startedAt + Math.min(leaderWaitMs, timeoutMs);
    for (;;) {
      if (node.isStopped) return { type: 'refused', error: { type: 'stopping' } };
      const { leader, isRemoved } = node.state;
      if (isRemoved) return { type: 'refused', error: { type: 'unreachable', message: REMOVED } };
      const remainingMs = deadline - performance.now();
      const isSent = leader !== null && remainingMs > 0;
      const outcome = isSent ? await this.#send(call, leader, remainingMs) : refusedWithoutLeader;
      if (!mayRetry(outcome)) return outcome;
      const ticks = Math.floor((lookUntil - performance.now()) / tickMs);
      if (ticks < 1) return outcome;
      // One tick at a time: the leader that refused may still be the one this node knows.
      if (leader === null) await node.until((status) => status.leader !== null, ticks);
      else await node.until(() => false, 1);
    }
  }

  #send(call: Call, leader: NodeId, timeoutMs: number): Promise<CallOutcome> {
    const { node, leaderCalls } = this.#options;
    return leader === node.id ? leaderCalls.execute(call) : this.#forward(call, leader, timeoutMs);
  }

  async #forward(call: Call, leader: NodeId, timeoutMs: number): Promise<CallOutcome> {
    const { node, transport } = this.#options;
    const answer = transport.call(leader, call, timeoutMs);
    const outcome = await (call.type === 'propose' ? this.#untilReplaced(leader, answer) : answer);
    if (outcome.type !== 'done' || (await node.appliedHere(outcome.logId.index))) return outcome;
    return { type: 'unknown', message: 'it is committed, but this node does not catch up with it' };
  }

  /** The leader's answer, or that it is unknown once another node has long been leading. */
  #untilReplaced(leader: NodeId, answer: Promise<CallOutcome>): Promise<CallOutcome> {
    return new Promise((resolve) => {
      const abandon = () =>
        resolve({ type: 'unknown', message: `node ${leader} has lost the lead meanwhile` });
      const write = { leader, abandon };
      this.#forwarded.add(write);
      void answer.then(resolve).finally(() => this.#forwarded.delete(write));
    });
  }

  /** A leader that hangs answers nothing, and its connection does not break: nobody should wait for it to the end. */
  async #abandonThoseNotWith(leader: NodeId): Promise<void> {
    const replaced = [...this.#forwarded].filter((write) => write.leader !== leader);
    if (replaced.length === 0) return;
    await this.#options.node.until(() => false, LAST_ANSWER_TICKS);
    for (const write of replaced) write.abandon();
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
