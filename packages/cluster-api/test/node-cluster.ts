import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from '@metad/kv-store';
import { DEFAULT_RAFT_LIMITS, type Membership, type Message, type NodeId, nodeId } from '@metad/raft-core';
import { pino } from 'pino';
import { ConsensusMetrics } from '../src/consensus/metrics.ts';
import { Node } from '../src/consensus/node.ts';

export interface Member {
  readonly id: NodeId;
  readonly store: Store;
  readonly node: Node;
  readonly faults: unknown[];
}

/**
 * Several nodes in one process: the real loop and the real store, with a network that delivers in order unless a link
 * is cut. Ticks are short, so that elections take milliseconds.
 */
export class NodeCluster {
  readonly #dir = mkdtempSync(join(tmpdir(), 'metad-node-'));
  readonly #members = new Map<NodeId, Member>();
  readonly #cut = new Set<NodeId>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
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
    const node = new Node({
      store,
      raft: { ...DEFAULT_RAFT_LIMITS, id, electionTimeoutTicks: 10, heartbeatTicks: 1, random: Math.random },
      transport: { send: (messages) => this.#deliver(messages), setPeers: () => undefined },
      sendSnapshot: () => undefined,
      metrics: new ConsensusMetrics('test'),
      logger: pino({ level: 'silent' }),
      tickMs: 20,
      patienceTicks: 500,
      maxInflightProposals: 1000,
      onFault: (error) => faults.push(error),
    });
    const member = { id, store, node, faults };
    this.#members.set(id, member);
    node.start();
    return member;
  }

  stop(id: NodeId): void {
    const { node, store } = this.member(id);
    node.stop();
    store.close();
    this.#members.delete(id);
  }

  cut(id: NodeId): void {
    this.#cut.add(id);
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
    for (const { id } of this.members) this.stop(id);
    rmSync(this.#dir, { recursive: true });
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
