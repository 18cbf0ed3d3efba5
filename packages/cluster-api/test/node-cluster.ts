import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from '@metad/kv-store';
import { DEFAULT_RAFT_LIMITS, type Membership, type Message, type NodeId, nodeId } from '@metad/raft-core';
import { pino } from 'pino';
import type { SnapshotSettings } from '../src/config/node-config.ts';
import { ConsensusMetrics } from '../src/consensus/metrics.ts';
import { Node } from '../src/consensus/node.ts';
import type { SnapshotFrame } from '../src/peers/snapshot-frame.ts';
import type { SnapshotLimits } from '../src/snapshots/limits.ts';
import { Snapshots } from '../src/snapshots/snapshots.ts';
import { SnapshotNetwork } from './snapshot-network.ts';

export interface Member {
  readonly id: NodeId;
  readonly store: Store;
  readonly node: Node;
  readonly snapshots: Snapshots;
  readonly faults: unknown[];
}

export interface NodeClusterOptions {
  readonly settings?: SnapshotSettings;
  readonly limits?: Partial<SnapshotLimits>;
  /** What becomes of a frame on its way; null: it is lost. */
  readonly tamper?: (
    frame: SnapshotFrame,
    way: { readonly from: NodeId; readonly to: NodeId },
  ) => SnapshotFrame | null;
}

/** So long that nothing is compacted. */
const LONG_LOG: SnapshotSettings = { logBytes: 2 ** 30, logEntries: 1_000_000, keepEntries: 1000 };

/**
 * Several nodes in one process: the real loop and the real store, with a network that delivers in order unless a link
 * is cut. Ticks are short, so that elections take milliseconds.
 */
export class NodeCluster {
  readonly #dir = mkdtempSync(join(tmpdir(), 'metad-node-'));
  readonly #members = new Map<NodeId, Member>();
  readonly #cut = new Set<NodeId>();
  readonly #size: number;
  readonly #options: NodeClusterOptions;
  /** The connections over which snapshots travel. */
  readonly wires: SnapshotNetwork;

  constructor(size: number, options: NodeClusterOptions = {}) {
    this.#size = size;
    this.#options = options;
    this.wires = new SnapshotNetwork({
      deliver: (frame, to, channel) => this.#members.get(to)?.snapshots.receive(frame, channel),
      tamper: options.tamper ?? ((frame) => frame),
    });
    for (let id = 1; id <= size; id += 1) this.start(nodeId(id));
  }

  get members(): Member[] {
    return [...this.#members.values()];
  }

  member(id: number): Member {
    const member = this.#members.get(nodeId(id));
    if (!member) throw new Error(`node ${id} does not run`);
    return member;
  }

  /** Starts a node on its directory, which it finds as it left it. */
  start(id: NodeId): Member {
    const store = Store.open(join(this.#dir, String(id)));
    if (store.log.lastLog.index === 0) {
      store.bootstrap(this.#membership(), { node: id, instance: `instance-${id}`, cluster: 'test' });
    }
    const faults: unknown[] = [];
    const metrics = new ConsensusMetrics('test');
    const logger = pino({ level: 'silent' });
    const node: Node = new Node({
      store,
      raft: { ...DEFAULT_RAFT_LIMITS, id, electionTimeoutTicks: 10, heartbeatTicks: 1, random: Math.random },
      transport: { send: (messages) => this.#deliver(messages), setPeers: () => undefined },
      sendSnapshot: (message) => snapshots.send(message),
      metrics,
      logger,
      tickMs: 20,
      patienceTicks: 500,
      maxInflightProposals: 1000,
      onFault: (error) => faults.push(error),
    });
    const snapshots = new Snapshots({
      store,
      dataDir: join(this.#dir, String(id)),
      node,
      transport: { snapshotChannel: (to) => this.#channel(id, to) },
      settings: this.#options.settings ?? LONG_LOG,
      limits: { retryMs: 20, maxRetryMs: 20, ...this.#options.limits },
      tickMs: 20,
      logger,
      metrics,
    });
    const member = { id, store, node, snapshots, faults };
    this.#members.set(id, member);
    node.start();
    snapshots.start();
    return member;
  }

  async stop(id: NodeId): Promise<void> {
    const { node, store, snapshots } = this.member(id);
    node.stop();
    this.#members.delete(id);
    this.wires.cut(id);
    await snapshots.stop();
    store.close();
  }

  cut(id: NodeId): void {
    this.#cut.add(id);
    this.wires.cut(id);
  }

  heal(): void {
    this.#cut.clear();
  }

  /** The node that leads and knows it, once there is one among those that are not cut off. */
  async leader(): Promise<Member> {
    for (;;) {
      const leader = this.members.find(({ id, node }) => !this.#cut.has(id) && node.state.role === 'leader');
      if (leader) return leader;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async close(): Promise<void> {
    for (const { id } of this.members) await this.stop(id);
    rmSync(this.#dir, { recursive: true });
  }

  #channel(from: NodeId, to: NodeId) {
    const isOpen = !this.#cut.has(from) && !this.#cut.has(to) && this.#members.has(to);
    return isOpen ? this.wires.channel(from, to) : null;
  }

  #membership(): Membership {
    const ids = Array.from({ length: this.#size }, (_, i) => nodeId(i + 1));
    return { configs: [ids], nodes: new Map(ids.map((id) => [id, { addr: `127.0.0.1:${21000 + id}` }])) };
  }

  #deliver(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.#cut.has(message.from) || this.#cut.has(message.to)) continue;
      setImmediate(() => this.#members.get(message.to)?.node.receive([message]));
    }
  }
}
