import { assert, bootstrapLog, type NodeId, nodeId } from '@metad/raft-core';
import { Checks } from './checks.ts';
import { Coverage } from './coverage.ts';
import { EventQueue, TICK } from './event-queue.ts';
import { CommittedLog } from './invariants/committed-log.ts';
import { everyInvariant } from './invariants/every-invariant.ts';
import { firstMembership, MembershipsSeen } from './memberships-seen.ts';
import { Network, PERFECT } from './network.ts';
import type { Profile } from './profile.ts';
import type { Random } from './random.ts';
import { SimulatedNode } from './simulated-node.ts';
import type { StoreFactory } from './simulated-store.ts';
import { storeFate } from './store-fate.ts';
import { Trace } from './trace.ts';
import { NO_TROUBLES, type World } from './world.ts';

/** Whole nodes, their network and their time, in one process on one seed; and what watches them. */
export class SimulatedCluster {
  readonly profile: Profile;
  readonly nodes: readonly SimulatedNode[];
  readonly world: World;
  readonly committed = new CommittedLog();
  readonly memberships: MembershipsSeen;
  #restarting = true;

  constructor(options: {
    readonly profile: Profile;
    readonly random: Random;
    readonly store: StoreFactory;
    readonly trace: boolean;
  }) {
    const { profile, random, store, trace } = options;
    this.profile = profile;
    const { voters, learners } = profile;
    const ids = Array.from({ length: profile.nodes }, (_, i) => nodeId(i + 1));
    const formed = bootstrapLog(firstMembership(ids.slice(0, voters), ids.slice(voters, voters + learners)));
    assert(formed.entry.payload.type === 'membership', 'a log begins with its membership');
    this.memberships = new MembershipsSeen({
      logId: formed.entry,
      membership: formed.entry.payload.membership,
    });
    this.world = this.#createWorld(random, trace);
    const fate = storeFate(this.world);
    this.nodes = ids.map((id, i) => {
      const isFirst = i < voters;
      return new SimulatedNode(this.world, {
        id,
        store: store(id, isFirst ? formed : null, fate),
        limits: profile.limits,
      });
    });
    for (const node of this.nodes) node.start();
    this.#restart();
  }

  node(id: NodeId): SimulatedNode {
    const node = this.nodes[id - 1];
    assert(node !== undefined, () => `there is no node ${id}`);
    return node;
  }

  /** The leader of the latest term, when there is one. */
  leader(): SimulatedNode | undefined {
    let latest: SimulatedNode | undefined;
    for (const node of this.nodes) {
      if (node.status?.role !== 'leader') continue;
      if (latest === undefined || node.status.term > (latest.status?.term ?? 0)) latest = node;
    }
    return latest;
  }

  /** Lets `ticks` of virtual time pass. */
  run(ticks: number): void {
    const { queue } = this.world;
    const until = queue.now + ticks * TICK;
    while (queue.maybeNext(until));
  }

  /** Lets time pass until `done`; false when that takes more than `maxTicks`. */
  until(done: () => boolean, maxTicks: number): boolean {
    for (let tick = 0; tick < maxTicks; tick += 1) {
      if (done()) return true;
      this.run(1);
    }
    return done();
  }

  /** Ends every fault: from now on messages arrive, clocks go alike, disks are quick, and everyone runs. */
  makePeace(): void {
    this.world.trace.note('all', () => 'peace');
    this.world.troubles = NO_TROUBLES;
    this.world.network.quality = PERFECT;
    this.world.network.renew();
    this.#restarting = false;
    for (const node of this.nodes) {
      node.tickLength = TICK;
      node.syncLength = 0;
      if (!node.isRunning) node.start();
      if (node.isPaused) node.process.resume();
    }
  }

  close(): void {
    for (const node of this.nodes) node.store.close();
  }

  /** Nodes that are down come back after a while. */
  #restart(): void {
    const { queue, random } = this.world;
    queue.after(TICK, () => {
      if (!this.#restarting) return;
      for (const node of this.nodes) if (!node.isRunning && random.chance(0.12)) node.start();
      this.#restart();
    });
  }

  #createWorld(random: Random, trace: boolean): World {
    const queue = new EventQueue();
    const coverage = new Coverage();
    const network = new Network(queue, random, coverage);
    network.quality = this.profile.network;
    const cluster = this;
    return {
      queue,
      random,
      network,
      coverage,
      trace: new Trace(queue, { enabled: trace }),
      checks: new Checks([...everyInvariant(this.committed, this.profile.limits), this.memberships]),
      troubles: this.profile.troubles,
      get nodes() {
        return cluster.nodes;
      },
      node: (id) => this.node(id),
    };
  }
}
