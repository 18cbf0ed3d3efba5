import {
  assert,
  checkInvariants,
  checkReady,
  checkStep,
  checkTick,
  checkTransition,
  type Message,
  Raft,
  type RaftConfig,
  type RaftStatus,
  type Ready,
} from '@metad/raft-core';
import { describeLogId, describeMembership } from './describe-message.ts';
import type { Lifetime } from './lifetime.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { World } from './world.ts';

interface Options {
  readonly node: SimulatedNode;
  readonly lifetime: Lifetime;
  readonly limits: Omit<RaftConfig, 'id' | 'random'>;
  /** Called after each input: there may be a Ready now. */
  readonly moved: () => void;
}

/** The core of one process, checked after each input: by its own checks, and by those that watch the cluster. */
export class CheckedRaft {
  readonly #world: World;
  readonly #node: SimulatedNode;
  readonly #lifetime: Lifetime;
  readonly #moved: () => void;
  readonly #raft: Raft;
  #status: RaftStatus;

  /** Starts with what is on the node's disk. */
  constructor(world: World, { node, lifetime, limits, moved }: Options) {
    this.#world = world;
    this.#node = node;
    this.#lifetime = lifetime;
    this.#moved = moved;
    const initial = node.store.initialState();
    world.checks.started(node, initial);
    node.note(() => `starts in term ${initial.hardState.term} with ${describeLogId(initial.lastLog)}`);
    this.#raft = new Raft(
      { ...limits, id: node.id, instance: node.instance, random: world.random.next },
      initial,
      node.store.log,
    );
    this.#status = this.#raft.status();
    checkInvariants(this.#status);
  }

  get status(): RaftStatus {
    return this.#status;
  }

  hasReady(): boolean {
    return this.#raft.hasReady();
  }

  /** Any input; those that have checks of their own have methods of their own below. */
  input<T>(act: (raft: Raft) => T): T {
    assert(!this.#lifetime.isEnded, () => `node ${this.#node.id} is down`);
    const before = this.#status;
    const result = act(this.#raft);
    const after = this.#raft.status();
    this.#status = after;
    checkInvariants(after);
    checkTransition(before, after);
    this.#noteTransition(before, after);
    this.#world.checks.moved({ node: this.#node, before, after }, this.#world.nodes);
    this.#moved();
    return result;
  }

  step(message: Message): void {
    const before = this.#status;
    this.input((raft) => raft.step(message));
    checkStep(before, message, this.#status);
    this.#world.checks.received(this.#node, message, this.#status);
  }

  tick(): void {
    const before = this.#status;
    this.input((raft) => raft.tick());
    checkTick(before, this.#status);
    this.#world.checks.ticked(this.#node, this.#status);
  }

  ready(): Ready {
    const ready = this.input((raft) => raft.ready());
    checkReady(this.#status, ready);
    return ready;
  }

  #noteTransition(before: RaftStatus, after: RaftStatus): void {
    const { coverage } = this.#world;
    if (before.role !== after.role || before.term !== after.term) {
      this.#node.note(() => `${after.role} in term ${after.term}`);
      if (after.role === 'leader') coverage.met('election');
      if (before.role === 'candidate' && after.role !== 'leader') coverage.met('failed election');
    }
    if (before.membership !== after.membership) {
      this.#node.note(
        () =>
          `has ${describeMembership(after.membership.membership)} at ${describeLogId(after.membership.logId)}`,
      );
    }
  }
}
