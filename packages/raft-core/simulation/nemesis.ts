import type { NodeId } from '@metad/raft-core';
import { TICK } from './event-queue.ts';
import type { Link } from './network.ts';
import { cutAround, drawPartition } from './partitions.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';

export const FAULTS = [
  'partition',
  'crash',
  'pause',
  'slowDisk',
  'skewedClock',
  'confusion',
  'coup',
] as const;
export type Fault = (typeof FAULTS)[number];

/** Makes trouble, and ends each piece of it after a while. One fault may come on top of another. */
export class Nemesis {
  readonly #cluster: SimulatedCluster;
  #active = true;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
    const { faultTicks, compactionTicks } = cluster.profile;
    this.#repeat(faultTicks, () => this.#strike());
    for (const node of cluster.nodes) {
      this.#repeat(compactionTicks, () => {
        if (node.isRunning && !node.isPaused) node.process.compact(cluster.world.random.below(6));
      });
    }
  }

  /** No more faults; those that last are ended by whoever wants peace. */
  stop(): void {
    this.#active = false;
  }

  #repeat(averageTicks: number, act: () => void): void {
    const { queue, random } = this.#cluster.world;
    queue.after(random.wait(averageTicks * TICK), () => {
      if (!this.#active) return;
      act();
      this.#repeat(averageTicks, act);
    });
  }

  /** Ends a fault after 1 to 2n ticks, unless peace has ended it before. */
  #later(ticks: number, act: () => void): void {
    const { queue, random } = this.#cluster.world;
    queue.after(TICK * (1 + random.below(2 * ticks)), () => {
      if (this.#active) act();
    });
  }

  #strike(): void {
    const { random } = this.#cluster.world;
    const fault = random.pick(this.#cluster.profile.faults);
    const someone = random.pick(this.#cluster.nodes);
    // Leaders have most to lose.
    const victim = random.chance(0.4) ? (this.#cluster.leader() ?? someone) : someone;
    if (fault === undefined || victim === undefined) return;
    switch (fault) {
      case 'partition':
        this.#partition();
        return;
      case 'crash':
        this.#crash(random.chance(0.15) ? this.#cluster.nodes : [victim]);
        return;
      case 'pause':
        this.#pause(victim);
        return;
      case 'slowDisk':
        this.#slowDisk(victim);
        return;
      case 'skewedClock':
        this.#skewClock(victim);
        return;
      case 'confusion':
        this.#confuse(victim);
        return;
      case 'coup':
        this.#depose();
        return;
    }
  }

  #partition(): void {
    const { random, network, coverage, trace } = this.#cluster.world;
    const ids = this.#cluster.nodes.map(({ id }) => id);
    const { kind, links, flapping } = drawPartition(random, ids, this.#cluster.leader()?.id ?? null);
    coverage.met(kind);
    trace.note('network', () => `${kind}: ${links.map(({ from, to }) => `${from}>${to}`).join(' ')}`);
    network.cut(links, { holding: random.chance(0.5) });
    if (flapping) this.#flap(links, 2 + random.below(6));
    else this.#later(15, () => this.#mend(links));
  }

  #flap(links: readonly Link[], times: number): void {
    this.#later(2, () => {
      this.#mend(links);
      if (times === 0) return;
      this.#later(2, () => {
        this.#cluster.world.network.cut(links);
        this.#flap(links, times - 1);
      });
    });
  }

  #mend(links: readonly Link[]): void {
    this.#cluster.world.trace.note('network', () => 'mends a partition');
    this.#cluster.world.network.mend(links);
  }

  #crash(victims: readonly SimulatedNode[]): void {
    const { random } = this.#cluster.world;
    const powerLoss = random.chance(0.5);
    for (const node of victims) if (node.isRunning) node.crash({ powerLoss });
  }

  #pause(victim: SimulatedNode): void {
    if (!victim.isRunning || victim.isPaused) return;
    this.#cluster.world.coverage.met('pause');
    victim.process.pause();
    this.#later(20, () => {
      if (victim.isPaused) victim.process.resume();
    });
  }

  #slowDisk(victim: SimulatedNode): void {
    const { random, coverage, trace } = this.#cluster.world;
    coverage.met('slow disk');
    victim.syncLength = 1 + random.below(3 * TICK);
    trace.note(victim.name, () => `needs ${victim.syncLength} for a sync`);
    this.#later(20, () => {
      victim.syncLength = 0;
    });
  }

  #skewClock(victim: SimulatedNode): void {
    const { random, coverage, trace } = this.#cluster.world;
    coverage.met('skewed clock');
    victim.tickLength = random.pick([TICK / 4, TICK / 2, TICK * 2, TICK * 5]) ?? TICK;
    trace.note(victim.name, () => `ticks every ${victim.tickLength}`);
    this.#later(30, () => {
      victim.tickLength = TICK;
    });
  }

  /**
   * A leader goes on taking writes while it is cut off, and comes back to see its successor fall: the plot behind
   * figures 7 and 8 of the paper, with long logs that were never committed.
   */
  #depose(): void {
    const leader = this.#cluster.leader();
    if (leader === undefined) return;
    const { network, coverage, trace, random } = this.#cluster.world;
    const links = cutAround(
      this.#cluster.nodes.map(({ id }) => id),
      leader.id,
    );
    coverage.met('coup');
    trace.note('network', () => `hides leader n${leader.id}`);
    // Often the way to it fails first: what its last heartbeats were answered waits on the way.
    network.cut(
      links.filter(({ to }) => to === leader.id),
      { holding: random.chance(0.7) },
    );
    this.#later(2, () => network.cut(links, { holding: random.chance(0.5) }));
    // With a slow clock it will believe for long that it leads.
    if (random.chance(0.5)) leader.tickLength = 4 * TICK;
    this.#endCoup(leader, links, 5 * this.#cluster.profile.limits.electionTimeoutTicks);
  }

  /** Soon after a successor has committed more, or when there is none within `ticks`. */
  #endCoup(leader: SimulatedNode, links: readonly Link[], ticks: number): void {
    const { queue, random } = this.#cluster.world;
    queue.after(TICK, () => {
      if (!this.#active) return;
      const successor = this.#cluster.leader();
      const more = (successor?.status?.committed ?? 0) > (leader.status?.committed ?? 0);
      const deposed = successor !== undefined && successor !== leader && more;
      if (ticks > 0 && !(deposed && random.chance(0.3))) {
        this.#endCoup(leader, links, ticks - 1);
        return;
      }
      leader.tickLength = TICK;
      if (deposed && random.chance(0.5)) this.#crash([successor]);
      this.#mend(links);
    });
  }

  /** Things that a driver may tell its core at any time. */
  #confuse(victim: SimulatedNode): void {
    if (!victim.isRunning || victim.isPaused) return;
    const { random, trace } = this.#cluster.world;
    const peer = random.pick(this.#cluster.nodes)?.id ?? (1 as NodeId);
    if (random.chance(0.5)) {
      trace.note(victim.name, () => 'is told to campaign');
      victim.input((raft) => raft.campaign());
    } else {
      trace.note(victim.name, () => `is told that n${peer} is unreachable`);
      victim.input((raft) => raft.reportUnreachable(peer));
    }
  }
}
