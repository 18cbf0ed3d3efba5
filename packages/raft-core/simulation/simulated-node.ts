import {
  assert,
  compareLogId,
  EMPTY_MEMBERSHIP,
  type LogId,
  type NodeId,
  type Raft,
  type RaftConfig,
  type RaftStatus,
  ZERO_LOG_ID,
} from '@metad/raft-core';
import { describeMessage } from './describe-message.ts';
import { TICK } from './event-queue.ts';
import type { NodeView } from './invariant.ts';
import { instanceOf } from './memberships-seen.ts';
import { type Delivery, SimulatedProcess } from './simulated-process.ts';
import type { SimulatedStore } from './simulated-store.ts';
import type { World } from './world.ts';

/** What a node says of itself when it connects to another one. */
interface Introduction {
  readonly id: NodeId;
  readonly instance: string;
  /** The last membership that it knows to be committed. */
  readonly membership: LogId;
}

/** How long a snapshot is under way, in messages. */
const SNAPSHOT_SIZE = 5;

/** One machine: its disk, its clock, its place in the network, and the process on it while there is one. */
export class SimulatedNode implements NodeView {
  readonly id: NodeId;
  readonly store: SimulatedStore;
  readonly #world: World;
  readonly #limits: Omit<RaftConfig, 'id' | 'random'>;
  /** Between two ticks. */
  tickLength = TICK;
  /** How long a synced write takes. */
  syncLength = 0;
  #disk = 1;
  #process: SimulatedProcess | null = null;

  constructor(
    world: World,
    options: {
      readonly id: NodeId;
      readonly store: SimulatedStore;
      readonly limits: Omit<RaftConfig, 'id' | 'random'>;
    },
  ) {
    this.#world = world;
    this.id = options.id;
    this.store = options.store;
    this.#limits = options.limits;
  }

  get name(): string {
    return `n${this.id}`;
  }

  get instance(): string {
    return instanceOf(this.id, this.#disk);
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  get isPaused(): boolean {
    return this.#process?.isPaused ?? false;
  }

  /** Null while the node is down. */
  get status(): RaftStatus | null {
    return this.#process?.status ?? null;
  }

  /** Throws when the node is down. */
  get process(): SimulatedProcess {
    assert(this.#process !== null, () => `node ${this.id} is down`);
    return this.#process;
  }

  start(): void {
    assert(this.#process === null, 'a node that runs is not started');
    this.#process = new SimulatedProcess(this.#world, this, this.#limits);
  }

  /** The process ends at once, in the middle of whatever it did; with `powerLoss` the disk forgets what was not synced. */
  crash({ powerLoss }: { readonly powerLoss: boolean }): void {
    this.note(() => (powerLoss ? 'loses power' : 'crashes'));
    this.#world.coverage.met('crash');
    if (powerLoss) this.#world.coverage.met('power loss');
    this.process.end();
    this.#process = null;
    this.store.crash({ loseUnsynced: powerLoss });
  }

  /** The node is down and gets a new disk: to its cluster it is another instance from now on. */
  wipe(): void {
    assert(this.#process === null, 'the disk of a running node is not replaced');
    this.note(() => 'gets an empty disk');
    this.#disk += 1;
    this.store.wipe();
  }

  /** Gives one input to the core, checked. Throws when the node is down. */
  input<T>(act: (raft: Raft) => T): T {
    return this.process.input(act);
  }

  /** Sends to a peer that this node accepts, and that accepts it; calls `delivered` when it has arrived. */
  transmit(delivery: Delivery, delivered?: () => void): void {
    const { network, node } = this.#world;
    const { message, snapshot } = delivery;
    const self = this.#introduction();
    this.note(() => describeMessage(message));
    network.send(
      message,
      () => {
        const receiver = node(message.to);
        if (!receiver.isRunning || !receiver.accepts(self)) return;
        if (this.isRunning && !this.accepts(receiver.#introduction())) return;
        receiver.process.receive(delivery);
        delivered?.();
      },
      snapshot === null ? 1 : SNAPSHOT_SIZE,
    );
  }

  /**
   * Whether a peer is the one that this node's membership means, by its disk. One that knows a later membership, and is
   * committed to it, knows better: this node may have missed that a member was added, or its disk replaced.
   */
  accepts({ id, instance, membership }: Introduction): boolean {
    const own = this.status?.membership;
    // Whoever has joined nothing yet waits for anyone who knows it.
    if (own === undefined || own.membership.nodes.size === 0) return true;
    return own.membership.nodes.get(id)?.instance === instance || compareLogId(membership, own.logId) > 0;
  }

  /** Whether the node's disk is the one that `member`, a running node, means by its id. */
  isMemberOf(member: SimulatedNode): boolean {
    const { membership } = member.status?.membership ?? { membership: EMPTY_MEMBERSHIP };
    return membership.nodes.get(this.id)?.instance === this.instance;
  }

  #introduction(): Introduction {
    const membership = this.status?.committedMembership.logId ?? ZERO_LOG_ID;
    return { id: this.id, instance: this.instance, membership };
  }

  note(what: () => string): void {
    this.#world.trace.note(this.name, what);
  }
}
