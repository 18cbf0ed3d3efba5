import { Random } from '../simulation/random.ts';
import { assert } from '../src/assert.ts';
import { bootstrapLog } from '../src/bootstrap.ts';
import { DEFAULT_RAFT_LIMITS, type RaftConfig } from '../src/config.ts';
import { compareLogId, type NodeId, nodeId } from '../src/ids.ts';
import { checkStep, checkTick } from '../src/input-invariants.ts';
import { checkInvariants, checkTransition } from '../src/invariants.ts';
import type { Membership } from '../src/membership.ts';
import type { InstallSnapshot, Message, ReadId } from '../src/message.ts';
import { Raft } from '../src/raft.ts';
import type { Ready } from '../src/ready.ts';
import { checkReady } from '../src/ready-invariants.ts';
import { History } from './history.ts';
import { MemoryDisk } from './memory-disk.ts';
import { applied, EMPTY_STATE, type StateMachine } from './state-machine.ts';

/** Where a driver's turn can be cut short. */
export const CRASH_POINTS = [
  'beforeEarly',
  'beforePersist',
  'beforeMessages',
  'beforeApply',
  'beforeAdvance',
] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

export interface Faults {
  /** How likely a driver stops between two steps of a Ready until the next step of the world: inputs come meanwhile. */
  readonly stall: number;
  readonly loss: number;
  readonly duplication: number;
  /** Messages take up to this many steps more than one, each on its own: they overtake each other. */
  readonly delaySteps: number;
}

export const NO_FAULTS: Faults = { stall: 0, loss: 0, duplication: 0, delaySteps: 0 };

interface Delivery {
  readonly message: Message;
  readonly at: number;
  readonly snapshot: StateMachine | null;
}

/** A Ready that its driver has not finished: what is left of it, the next first. */
interface Turn {
  readonly ready: Ready;
  readonly left: CrashPoint[];
}

export class ClusterNode {
  readonly id: NodeId;
  readonly disk: MemoryDisk;
  raft: Raft | null = null;
  state: StateMachine = EMPTY_STATE;
  /** What of the state machine a crash leaves: it may lag behind `state`, never behind the compacted log. */
  durable: StateMachine = EMPTY_STATE;
  readonly received = new Map<number, StateMachine>();
  turn: Turn | null = null;

  constructor(id: NodeId, disk: MemoryDisk) {
    this.id = id;
    this.disk = disk;
  }
}

export interface ClusterOptions {
  readonly seed: number;
  readonly voters: number;
  readonly standbys?: number;
  readonly limits?: Partial<RaftConfig>;
}

/**
 * Whole nodes in one process on one seed: real cores, disks and a network in memory. One step delivers what is due,
 * and lets every node do its Ready. The history checks what no single node can.
 */
export class Cluster {
  readonly random: Random;
  readonly history = new History();
  readonly nodes: readonly ClusterNode[];
  faults: Faults = NO_FAULTS;
  /** `from>to` pairs that lose everything. */
  readonly blocked = new Set<string>();
  #limits: Partial<RaftConfig>;
  #now = 0;
  #network: Delivery[] = [];
  #reads: { readonly node: NodeId; readonly id: ReadId; readonly atLeast: number }[] = [];
  #nextReadId = 1;

  constructor({ seed, voters, standbys = 0, limits = {} }: ClusterOptions) {
    this.random = new Random(seed);
    this.#limits = limits;
    const ids = Array.from({ length: voters + standbys }, (_, i) => nodeId(i + 1));
    const { entry, hardState } = bootstrapLog(membershipOf(ids.slice(0, voters)));
    this.nodes = ids.map((id, i) => {
      const disk = i < voters ? MemoryDisk.bootstrapped(entry, hardState) : new MemoryDisk();
      return new ClusterNode(id, disk);
    });
    for (const node of this.nodes) this.start(node);
  }

  node(id: number): ClusterNode {
    const node = this.nodes[id - 1];
    assert(node !== undefined, 'no such node');
    return node;
  }

  raft(id: number): Raft {
    const { raft } = this.node(id);
    assert(raft !== null, `node ${id} is down`);
    return raft;
  }

  get running(): ClusterNode[] {
    return this.nodes.filter((node) => node.raft !== null);
  }

  /** The leader of the latest term, when there is one. */
  leader(): ClusterNode | undefined {
    return this.running
      .filter((node) => node.raft?.status().role === 'leader')
      .sort((a, b) => (b.raft?.status().term ?? 0) - (a.raft?.status().term ?? 0))[0];
  }

  start(node: ClusterNode): void {
    node.state = node.durable;
    const initial = node.disk.initial(node.state.last, node.state.stored);
    const config = { ...DEFAULT_RAFT_LIMITS, id: node.id, random: this.random.next, ...this.#limits };
    node.raft = new Raft(config, initial, node.disk);
    checkInvariants(node.raft.status());
  }

  crash(node: ClusterNode): void {
    node.raft = null;
    node.turn = null;
    node.received.clear();
    node.disk.crash(this.random.chance(0.5));
    this.#reads = this.#reads.filter((read) => read.node !== node.id);
  }

  /** Gives one input to a node and checks what it did to it. */
  input<T>(node: ClusterNode, act: (raft: Raft) => T): T {
    const { raft } = node;
    assert(raft !== null, `node ${node.id} is down`);
    const before = raft.status();
    const result = act(raft);
    const after = raft.status();
    checkInvariants(after);
    checkTransition(before, after);
    if (after.role === 'leader' && before.role !== 'leader') this.history.elected(after, node.disk);
    return result;
  }

  tick(node: ClusterNode): void {
    const before = node.raft?.status();
    this.input(node, (raft) => raft.tick());
    if (before !== undefined && node.raft !== null) checkTick(before, node.raft.status());
  }

  /** Proposes to whoever leads; the command counts as acknowledged once the proposer has applied it. */
  propose(node: ClusterNode, command: string): boolean {
    const result = this.input(node, (raft) => raft.propose(new TextEncoder().encode(command)));
    if (result.type !== 'appended') return false;
    this.history.proposed(command);
    return true;
  }

  read(node: ClusterNode): ReadId {
    const id = this.#nextReadId++;
    this.#reads.push({ node: node.id, id, atLeast: this.history.lastCommitted });
    this.input(node, (raft) => raft.readIndex(id));
    return id;
  }

  /** Compacts the node's log up to what its state machine has durably and its core counts as applied, less `keep`. */
  compact(node: ClusterNode, keep: number): void {
    node.durable = node.state;
    const index = Math.min(node.durable.last.index, node.raft?.status().applied ?? 0) - keep;
    const to = node.disk.log.find((entry) => entry.index === index);
    if (to === undefined) return;
    node.disk.compact(to);
    this.input(node, (raft) => raft.compacted(to));
  }

  /** One step of the world: due messages arrive, then every running node does its Readies. */
  step(crashAt: (node: ClusterNode) => CrashPoint | null = () => null): void {
    this.#now += 1;
    const due = this.#network.filter((delivery) => delivery.at <= this.#now);
    this.#network = this.#network.filter((delivery) => delivery.at > this.#now);
    for (const delivery of due) this.#deliver(delivery);
    for (const node of this.running) {
      while (node.turn !== null || node.raft?.hasReady() === true) {
        if (!this.#maybeTurn(node, crashAt(node))) break;
      }
    }
  }

  /** Steps until nothing moves any more without a tick. */
  settle(): void {
    do this.step();
    while (
      this.#network.length > 0 ||
      this.running.some((node) => node.turn !== null || node.raft?.hasReady())
    );
  }

  tickAll(): void {
    for (const node of this.running) this.tick(node);
  }

  /** Ticks and steps until `done`; false when that takes more than `maxTicks`. */
  until(done: () => boolean, maxTicks: number): boolean {
    for (let tick = 0; tick < maxTicks; tick += 1) {
      if (done()) return true;
      this.tickAll();
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

  /** Does the node's Ready, or the rest of it. Returns false when the driver stalls or crashes on the way. */
  #maybeTurn(node: ClusterNode, crashAt: CrashPoint | null): boolean {
    node.turn ??= { ready: this.#ready(node), left: [...CRASH_POINTS] };
    const { ready, left } = node.turn;
    for (let point = left.shift(); point !== undefined; point = left.shift()) {
      if (point === crashAt) {
        this.crash(node);
        return false;
      }
      if (point === 'beforeAdvance') node.turn = null;
      this.#do(point, node, ready);
      if (left.length > 0 && this.random.chance(this.faults.stall)) return false;
    }
    return true;
  }

  #ready(node: ClusterNode): Ready {
    const ready = this.input(node, (raft) => raft.ready());
    if (node.raft !== null) checkReady(node.raft.status(), ready);
    return ready;
  }

  #do(point: CrashPoint, node: ClusterNode, ready: Ready): void {
    switch (point) {
      case 'beforeEarly':
        this.#send(node, ready.early);
        return;
      case 'beforePersist':
        this.#persist(node, ready);
        return;
      case 'beforeMessages':
        this.#send(node, ready.messages);
        return;
      case 'beforeApply':
        this.#apply(node, ready);
        return;
      case 'beforeAdvance':
        this.input(node, (raft) => raft.advance(ready));
        return;
    }
  }

  #persist(node: ClusterNode, ready: Ready): void {
    if (ready.snapshot !== null) {
      const state = node.received.get(ready.snapshot.last.index);
      assert(state !== undefined, 'a snapshot is installed once it was received');
      node.state = state;
      node.durable = state;
    }
    node.disk.persist(ready);
    this.history.persisted(ready.entries, (index) => node.disk.logId(index) ?? node.disk.compacted);
  }

  #apply(node: ClusterNode, ready: Ready): void {
    for (const entry of ready.committed) {
      assert(entry.index === node.state.last.index + 1, 'entries are applied one after the other');
      assert(entry.index <= node.disk.last.index, 'what is applied is on disk');
      this.history.committed(entry, node.raft?.status().term ?? entry.term);
      node.state = applied(node.state, entry);
    }
    for (const { id, index } of ready.reads) {
      const read = this.#takeRead(node, id);
      this.history.readAnswered({ index, atLeast: read.atLeast });
    }
    for (const id of ready.droppedReads) this.#takeRead(node, id);
  }

  #takeRead(node: ClusterNode, id: ReadId) {
    const at = this.#reads.findIndex((read) => read.node === node.id && read.id === id);
    const [read] = at < 0 ? [] : this.#reads.splice(at, 1);
    assert(read !== undefined, 'a read is answered or dropped once');
    return read;
  }

  get pendingReads(): number {
    return this.#reads.length;
  }

  #send(node: ClusterNode, messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.type === 'installSnapshot') {
        this.#sendSnapshot(node, message);
        continue;
      }
      if (this.#isLost(message)) continue;
      this.#enqueue(message, null);
      if (this.random.chance(this.faults.duplication)) this.#enqueue(message, null);
    }
  }

  /** The driver's part: bytes of its newest state, whose meta goes into the message, and a report of the outcome. */
  #sendSnapshot(node: ClusterNode, message: InstallSnapshot): void {
    const state = node.state;
    assert(state.stored !== null, 'a snapshot holds a membership');
    assert(
      compareLogId(state.last, message.snapshot.last) >= 0,
      'the state is not older than what was asked for',
    );
    const { logId, membership } = state.stored;
    const snapshot = { last: state.last, membership, membershipLogId: logId };
    const lost = this.#isLost(message);
    if (!lost) this.#enqueue({ ...message, snapshot }, state);
    this.history.snapshots += 1;
    node.raft?.reportSnapshot(message.to, lost ? 'failed' : 'sent');
  }

  #isLost({ from, to }: Message): boolean {
    return this.blocked.has(`${from}>${to}`) || this.random.chance(this.faults.loss);
  }

  #enqueue(message: Message, snapshot: StateMachine | null): void {
    const at = this.#now + 1 + this.random.below(this.faults.delaySteps + 1);
    this.#network.push({ message, at, snapshot });
  }

  #deliver({ message, snapshot }: Delivery): void {
    const node = this.node(message.to);
    if (node.raft === null || this.blocked.has(`${message.from}>${message.to}`)) return;
    if (snapshot !== null) node.received.set(snapshot.last.index, snapshot);
    const before = node.raft.status();
    this.input(node, (raft) => raft.step(message));
    checkStep(before, message, node.raft.status());
  }
}

export function membershipOf(voters: readonly NodeId[], learners: readonly NodeId[] = []): Membership {
  const nodes = [...voters, ...learners].sort((a, b) => a - b);
  return { configs: [voters], nodes: new Map(nodes.map((node) => [node, { addr: `10.0.0.${node}:21001` }])) };
}
