import { Checks } from '../simulation/checks.ts';
import type { NodeView } from '../simulation/invariant.ts';
import { CommittedLog } from '../simulation/invariants/committed-log.ts';
import { everyInvariant } from '../simulation/invariants/every-invariant.ts';
import { instanceOf } from '../simulation/memberships-seen.ts';
import type { MemoryDisk } from '../simulation/memory-disk.ts';
import { MemoryStore } from '../simulation/memory-store.ts';
import { Random } from '../simulation/random.ts';
import type { Snapshot } from '../simulation/simulated-store.ts';
import { assert } from '../src/assert.ts';
import { bootstrapLog } from '../src/bootstrap.ts';
import { DEFAULT_RAFT_LIMITS } from '../src/config.ts';
import { compareLogId, type LogIndex, logIndex, type NodeId, nodeId } from '../src/ids.ts';
import { checkStep, checkTick } from '../src/input-invariants.ts';
import { checkInvariants, checkTransition } from '../src/invariants.ts';
import type { Membership } from '../src/membership.ts';
import type { InstallSnapshot, Message, ReadId } from '../src/message.ts';
import { Raft } from '../src/raft.ts';
import type { Ready } from '../src/ready.ts';
import { checkReady } from '../src/ready-invariants.ts';
import type { RaftStatus } from '../src/status.ts';
import { decodeText } from './text-command.ts';

interface Delivery {
  readonly message: Message;
  readonly snapshot: Snapshot | null;
}

class ClusterNode implements NodeView {
  readonly id: NodeId;
  readonly instance: string;
  readonly store: MemoryStore;
  /** Null while it is down. */
  raft: Raft | null = null;
  readonly received = new Map<LogIndex, Snapshot>();

  constructor(id: NodeId, store: MemoryStore) {
    this.id = id;
    this.instance = instanceOf(id, 1);
    this.store = store;
  }

  get disk(): MemoryDisk {
    return this.store.log;
  }

  /** What it has applied, in order. */
  get commands(): readonly string[] {
    return this.store.keys;
  }

  get core(): Raft {
    assert(this.raft !== null, () => `node ${this.id} is down`);
    return this.raft;
  }

  get status(): RaftStatus {
    return this.core.status();
  }
}

interface ClusterOptions {
  /** Decides nothing but how long each waits for an election. */
  readonly seed: number;
  readonly voters: number;
  readonly standbys?: number;
}

/**
 * Whole nodes in lock-step, for stories that need no faults but a blocked link: one step delivers what was sent in the
 * one before, and lets every node do its Readies. What watches over it is what watches over the simulation.
 */
export class Cluster {
  readonly nodes: readonly ClusterNode[];
  /** `from>to` pairs that lose everything. */
  readonly blocked = new Set<string>();
  readonly #random: Random;
  readonly #checks = new Checks(everyInvariant(new CommittedLog(), DEFAULT_RAFT_LIMITS));
  #network: Delivery[] = [];
  /** Who was asked. */
  readonly #reads = new Map<ReadId, ClusterNode>();
  #nextReadId: ReadId = 1;
  #readsAnswered = 0;

  constructor({ seed, voters, standbys = 0 }: ClusterOptions) {
    this.#random = new Random(seed);
    const ids = Array.from({ length: voters + standbys }, (_, i) => nodeId(i + 1));
    const formed = bootstrapLog(membershipOf(ids.slice(0, voters)));
    this.nodes = ids.map(
      (id, i) => new ClusterNode(id, new MemoryStore(i < voters ? formed : null, decodeText)),
    );
    for (const node of this.nodes) this.start(node);
  }

  node(id: number): ClusterNode {
    const node = this.nodes[id - 1];
    assert(node !== undefined, 'no such node');
    return node;
  }

  raft(id: number): Raft {
    return this.node(id).core;
  }

  get running(): ClusterNode[] {
    return this.nodes.filter((node) => node.raft !== null);
  }

  get pendingReads(): number {
    return this.#reads.size;
  }

  get readsAnswered(): number {
    return this.#readsAnswered;
  }

  /** The leader of the latest term, when there is one. */
  leader(): ClusterNode | undefined {
    return this.running
      .filter(({ status }) => status.role === 'leader')
      .sort((a, b) => b.status.term - a.status.term)[0];
  }

  start(node: ClusterNode): void {
    const initial = node.store.initialState();
    this.#checks.started(node, initial);
    node.raft = new Raft(
      { ...DEFAULT_RAFT_LIMITS, id: node.id, random: this.#random.next },
      initial,
      node.store.log,
    );
    checkInvariants(node.status);
  }

  /** With its power: what no sync has covered is gone. */
  crash(node: ClusterNode): void {
    node.raft = null;
    node.received.clear();
    node.store.crash({ loseUnsynced: true });
    for (const [id, asked] of this.#reads) if (asked === node) this.#reads.delete(id);
  }

  /** Gives one input to a node and checks what it did to it. */
  input<T>(node: ClusterNode, act: (raft: Raft) => T): T {
    const before = node.status;
    const result = act(node.core);
    const after = node.status;
    checkInvariants(after);
    checkTransition(before, after);
    this.#checks.moved({ node, before, after }, this.nodes);
    return result;
  }

  tick(node: ClusterNode): void {
    const before = node.status;
    this.input(node, (raft) => raft.tick());
    checkTick(before, node.status);
    this.#checks.ticked(node, node.status);
  }

  propose(node: ClusterNode, command: string): void {
    const { type } = this.input(node, (raft) => raft.propose(new TextEncoder().encode(command)));
    assert(type === 'appended', () => `node ${node.id} answers a proposal: ${type}`);
  }

  read(node: ClusterNode): void {
    const id = this.#nextReadId++;
    this.#reads.set(id, node);
    this.#checks.readAsked(node, id);
    this.input(node, (raft) => raft.readIndex(id));
  }

  /** Compacts the node's log up to what is applied. */
  compact(node: ClusterNode): void {
    const applied = Math.min(node.store.state.applied.index, node.status.applied);
    const to = node.store.compact(logIndex(applied));
    if (to !== null) this.input(node, (raft) => raft.compacted(to));
  }

  /** What was sent arrives, then every running node does its Readies. */
  step(): void {
    const due = this.#network;
    this.#network = [];
    for (const delivery of due) this.#deliver(delivery);
    for (const node of this.running) while (node.core.hasReady()) this.#turn(node);
  }

  /** Steps until nothing moves any more without a tick. */
  settle(): void {
    do this.step();
    while (this.#network.length > 0 || this.running.some(({ core }) => core.hasReady()));
  }

  /** Ticks and steps until `done`; false when that takes more than `maxTicks`. */
  until(done: () => boolean, maxTicks: number): boolean {
    for (let tick = 0; tick < maxTicks; tick += 1) {
      if (done()) return true;
      for (const node of this.running) this.tick(node);
      this.step();
      this.step();
    }
    return done();
  }

  partition(...groups: readonly (readonly number[])[]): void {
    this.blocked.clear();
    for (const from of groups.flat()) {
      for (const to of groups.flat()) {
        if (!groups.some((group) => group.includes(from) && group.includes(to)))
          this.blocked.add(`${from}>${to}`);
      }
    }
  }

  #turn(node: ClusterNode): void {
    const ready = this.input(node, (raft) => raft.ready());
    checkReady(node.status, ready);
    this.#send(node, ready.early);
    this.#persist(node, ready);
    this.#send(node, ready.messages);
    this.#apply(node, ready);
    this.input(node, (raft) => raft.advance(ready));
  }

  #persist(node: ClusterNode, ready: Ready): void {
    const { snapshot, entries } = ready;
    node.store.persist(ready, snapshot === null ? null : (node.received.get(snapshot.last.index) ?? null));
    if (snapshot !== null) this.#checks.installed(node);
    this.#checks.persisted(node, entries);
  }

  #apply(node: ClusterNode, { committed, reads, droppedReads }: Ready): void {
    const [last] = committed.slice(-1);
    if (last !== undefined) {
      assert(last.index <= node.disk.last.index, 'what is applied is on disk');
      node.store.apply(committed);
      this.#checks.applied(node, committed, node.status);
    }
    for (const { id, index } of reads) {
      this.#settleRead(node, id);
      this.#checks.readIndexed(node, id, index);
      this.#readsAnswered += 1;
    }
    for (const id of droppedReads) this.#settleRead(node, id);
  }

  #settleRead(node: ClusterNode, id: ReadId): void {
    assert(this.#reads.get(id) === node, 'a read is answered or dropped once, by whom it was asked of');
    this.#reads.delete(id);
  }

  #send(node: ClusterNode, messages: readonly Message[]): void {
    for (const message of messages) {
      this.#checks.sent(node, message, node.status);
      if (message.type === 'installSnapshot') this.#sendSnapshot(node, message);
      else this.#transmit({ message, snapshot: null });
    }
  }

  /** The driver's part: bytes of its newest state, whose meta goes into the message, and a report of the outcome. */
  #sendSnapshot(node: ClusterNode, asked: InstallSnapshot): void {
    const snapshot = node.store.takeSnapshot();
    assert(
      compareLogId(snapshot.meta.last, asked.snapshot.last) >= 0,
      'the state is not older than what was asked for',
    );
    this.#transmit({ message: { ...asked, snapshot: snapshot.meta }, snapshot });
    const result = this.#isBlocked(asked) ? 'failed' : 'sent';
    this.input(node, (raft) => raft.reportSnapshot(asked.to, result));
  }

  #transmit(delivery: Delivery): void {
    if (!this.#isBlocked(delivery.message)) this.#network.push(delivery);
  }

  #isBlocked({ from, to }: Message): boolean {
    return this.blocked.has(`${from}>${to}`);
  }

  #deliver({ message, snapshot }: Delivery): void {
    const node = this.node(message.to);
    if (node.raft === null || this.#isBlocked(message)) return;
    if (snapshot !== null) node.received.set(snapshot.meta.last.index, snapshot);
    const before = node.status;
    this.input(node, (raft) => raft.step(message));
    checkStep(before, message, node.status);
    this.#checks.received(node, message, node.status);
  }
}

export function membershipOf(voters: readonly NodeId[], learners: readonly NodeId[] = []): Membership {
  const nodes = [...voters, ...learners].sort((a, b) => a - b);
  return { configs: [voters], nodes: new Map(nodes.map((node) => [node, { addr: `10.0.0.${node}:21001` }])) };
}
