import type { InstallSnapshot, LogIndex, NodeId } from '@metad/raft-core';
import type { Logger } from 'pino';
import type { ConsensusMetrics } from '../consensus/metrics.ts';
import type { SnapshotChannel } from '../peers/snapshot-channel.ts';
import type { SnapshotAnswer } from '../peers/snapshot-frame.ts';
import type { PeerTransport } from '../peers/transport.ts';
import { reasonOf } from '../reason.ts';
import type { SnapshotBuilds } from './builds.ts';
import type { SnapshotLimits } from './limits.ts';
import { SnapshotTransfer, type TransferOutcome } from './transfer.ts';

export interface SnapshotSenderOptions {
  readonly builds: Pick<SnapshotBuilds, 'open' | 'doubt'>;
  readonly transport: Pick<PeerTransport, 'snapshotChannel'>;
  /** Behind which entry the log begins: an older snapshot is of no use. */
  readonly compacted: () => LogIndex;
  /** Called once for each peer that is sent a snapshot, whatever becomes of it. */
  readonly report: (peer: NodeId, result: 'sent' | 'failed') => void;
  readonly limits: SnapshotLimits;
  readonly logger: Logger;
  readonly metrics: ConsensusMetrics;
}

/** A peer that needs a snapshot. */
interface Task {
  /** The last one that the core made for the peer. */
  message: InstallSnapshot;
  /** Behind which entry the log must stay for it; null while it waits for its turn. */
  needed: LogIndex | null;
  running: {
    readonly channel: SnapshotChannel;
    readonly transfer: SnapshotTransfer;
    readonly id: number;
  } | null;
}

/** Sends snapshots to the peers that the core wants to have one: one at a time to each, a few at once. */
export class SnapshotSender {
  readonly #options: SnapshotSenderOptions;
  readonly #tasks = new Map<NodeId, Task>();
  readonly #waiting: Task[] = [];
  /** The log that a failed transfer will need again soon, and until when, in milliseconds. */
  readonly #resumable = new Map<NodeId, { readonly needed: LogIndex; readonly until: number }>();
  readonly #stopping = new AbortController();
  /** Failures in a row. */
  readonly #failures = new Map<NodeId, number>();
  #active = 0;
  #lastId = 0;

  constructor(options: SnapshotSenderOptions) {
    this.#options = options;
  }

  /** Behind which entry the log must stay, so that what is being sent is of use; null when nothing is. */
  get needed(): LogIndex | null {
    const now = performance.now();
    let least: LogIndex | null = null;
    for (const [peer, { until }] of this.#resumable) if (until < now) this.#resumable.delete(peer);
    for (const { needed } of [...this.#tasks.values(), ...this.#resumable.values()]) {
      if (needed !== null && (least === null || needed < least)) least = needed;
    }
    return least;
  }

  /** Begins to send, or goes on with what is being sent to that peer. */
  send(message: InstallSnapshot): void {
    const current = this.#tasks.get(message.to);
    if (current) {
      current.message = message;
      return;
    }
    const task: Task = { message, needed: null, running: null };
    this.#tasks.set(message.to, task);
    this.#waiting.push(task);
    this.#startNext();
  }

  receive(answer: SnapshotAnswer, channel: SnapshotChannel): void {
    const running = this.#tasks.get(channel.peer.node)?.running;
    // Anything else is about a transfer that has ended.
    if (running?.channel === channel && running.id === answer.id) running.transfer.receive(answer);
  }

  stop(): void {
    this.#stopping.abort();
    this.#waiting.length = 0;
  }

  #startNext(): void {
    if (this.#active >= this.#options.limits.maxTransfers || this.#stopping.signal.aborted) return;
    const task = this.#waiting.shift();
    if (!task) return;
    this.#active += 1;
    void this.#carryOut(task);
  }

  async #carryOut(task: Task): Promise<void> {
    const peer = task.message.to;
    const { builds, logger, metrics, limits, report } = this.#options;
    const outcome = await this.#attempt(task);
    this.#active -= 1;
    if (this.#stopping.signal.aborted) return;
    metrics.snapshots.inc({ event: outcome.type === 'sent' ? 'sent' : 'notSent' });
    this.#startNext();
    if (outcome.type === 'sent') {
      this.#resumable.delete(peer);
      this.#failures.delete(peer);
    } else {
      if (task.needed !== null) {
        this.#resumable.set(peer, { needed: task.needed, until: performance.now() + limits.resumeMs });
      }
      const reason = outcome.type === 'broken' ? 'the connection is gone' : outcome.reason;
      logger.warn({ peer, reason }, `node ${peer} did not get the snapshot`);
    }
    if (outcome.type === 'refused') builds.doubt();
    // The core asks again as soon as the peer answers a heartbeat: what went wrong may need a while.
    if (outcome.type === 'failed' || outcome.type === 'refused') await this.#pause(this.#retryMs(peer));
    this.#tasks.delete(peer);
    if (!this.#stopping.signal.aborted) report(peer, outcome.type === 'sent' ? 'sent' : 'failed');
  }

  async #attempt(task: Task): Promise<TransferOutcome> {
    const compacted = this.#options.compacted();
    task.needed = compacted;
    try {
      const reader = await this.#options.builds.open(compacted);
      try {
        task.needed = reader.manifest.meta.last.index;
        return await this.#transfer(task, reader);
      } finally {
        task.running = null;
        await reader.close();
      }
    } catch (error) {
      return { type: 'failed', reason: reasonOf(error) };
    }
  }

  async #transfer(task: Task, reader: Awaited<ReturnType<SnapshotBuilds['open']>>): Promise<TransferOutcome> {
    const { transport, limits, logger, metrics } = this.#options;
    const peer = task.message.to;
    const channel = transport.snapshotChannel(peer);
    if (channel === null) return { type: 'broken' };
    const { bytes, meta } = reader.manifest;
    this.#lastId += 1;
    const transfer = new SnapshotTransfer({
      id: this.#lastId,
      reader,
      channel,
      limits,
      message: () => task.message,
      onSent: (count) => metrics.snapshotSentBytes.inc(count),
      signal: this.#stopping.signal,
    });
    task.running = { channel, transfer, id: this.#lastId };
    const started = performance.now();
    logger.info({ peer, index: meta.last.index, bytes }, `sends a snapshot to node ${peer}`);
    const outcome = await transfer.run();
    const ms = Math.round(performance.now() - started);
    if (outcome.type === 'sent')
      logger.info({ peer, index: meta.last.index, bytes, ms }, `sent a snapshot to node ${peer}`);
    return outcome;
  }

  #retryMs(peer: NodeId): number {
    const { retryMs, maxRetryMs } = this.#options.limits;
    const failures = this.#failures.get(peer) ?? 0;
    this.#failures.set(peer, failures + 1);
    return Math.min(retryMs * 2 ** failures, maxRetryMs);
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
    });
  }
}
