import { describe, expect, test } from 'vitest';
import { nodeId } from '../src/ids.ts';
import { isVoter } from '../src/membership.ts';
import { Cluster, type ClusterNode, CRASH_POINTS, type CrashPoint, NO_FAULTS } from './cluster.ts';

/** METAD_SEEDS=10000 runs more of them. */
const SEEDS = Number(process.env.METAD_SEEDS ?? 300);
const STEPS = 600;
const POOL = 6;

/** Counts what the runs covered: a run that met none of a kind proves nothing about it. */
const covered = {
  elections: 0,
  crashes: 0,
  snapshots: 0,
  memberships: 0,
  reads: 0,
  commands: 0,
  transfers: 0,
};

const EVERYONE = Array.from({ length: POOL }, (_, i) => i + 1);

/** One round of trouble; `pace` is how likely each node's clock moves: near 0, it is stalled and does not know it. */
function disturb(cluster: Cluster, step: number, pace: Map<number, number>): void {
  const { random } = cluster;
  for (const node of cluster.running) if (random.chance(pace.get(node.id) ?? 0.5)) cluster.tick(node);
  if (random.chance(0.02)) pace.set(1 + random.below(POOL), random.next() ** 2);
  disturbNetwork(cluster);
  const victim = random.chance(0.005) ? random.pick(cluster.running) : undefined;
  if (victim !== undefined) crash(cluster, victim);
  for (const node of cluster.nodes) if (node.raft === null && random.chance(0.05)) cluster.start(node);
  const node = random.pick(cluster.running);
  if (node === undefined) return;
  if (random.chance(0.3)) cluster.read(node);
  if (random.chance(0.03)) cluster.compact(node, random.below(4));
  if (random.chance(0.02)) node.durable = node.state;
  if (random.chance(0.02)) cluster.input(node, (raft) => raft.campaign());
  // Every leader, also one that is cut off and does not know of its successor.
  for (const leader of cluster.running.filter((it) => it.raft?.status().role === 'leader')) {
    disturbLeader(cluster, leader, step);
  }
}

function disturbNetwork(cluster: Cluster): void {
  const { random } = cluster;
  const leader = cluster.leader();
  if (random.chance(0.015) && leader !== undefined) {
    cluster.partition(
      [leader.id],
      EVERYONE.filter((id) => id !== leader.id),
    );
  } else if (random.chance(0.015)) {
    const cut = random.subset(EVERYONE, 0.4);
    cluster.partition(
      cut,
      EVERYONE.filter((id) => !cut.includes(id)),
    );
  }
  if (random.chance(0.01)) cluster.blocked.add(`${1 + random.below(POOL)}>${1 + random.below(POOL)}`);
  if (random.chance(0.03)) cluster.blocked.clear();
}

function disturbLeader(cluster: Cluster, leader: ClusterNode, step: number): void {
  const { random } = cluster;
  if (random.chance(0.4)) cluster.propose(leader, `command ${step} of ${leader.id}`);
  if (random.chance(0.1)) cluster.read(leader);
  if (random.chance(0.04)) changeMembership(cluster, leader);
  if (random.chance(0.01)) {
    const target = random.pick([null, nodeId(1 + random.below(POOL))]) ?? null;
    const result = cluster.input(leader, (raft) => raft.transferLeadership(target));
    if (result.type === 'started') covered.transfers += 1;
  }
  if (random.chance(0.01)) {
    cluster.input(leader, (raft) => raft.reportUnreachable(nodeId(1 + random.below(POOL))));
  }
}

function crash(cluster: Cluster, node: ClusterNode): void {
  covered.crashes += 1;
  cluster.crash(node);
}

function changeMembership(cluster: Cluster, leader: ClusterNode): void {
  const { random } = cluster;
  const any = nodeId(1 + random.below(POOL));
  cluster.input(leader, (raft) => {
    const { membership } = raft.status().membership;
    const chosen = random.subset([...membership.nodes.keys()], 0.8);
    // Now and then very few; mostly enough to disagree.
    if (chosen.length < 3 && random.chance(0.8)) return null;
    switch (random.below(4)) {
      case 0:
        return raft.proposeMembership({ type: 'removeLearner', node: any });
      case 1:
        return raft.proposeMembership({ type: 'setVoters', voters: chosen });
      default:
        return raft.proposeMembership({
          type: 'addLearner',
          node: any,
          record: { addr: `10.0.0.${any}:21001` },
        });
    }
  });
}

function run(seed: number): Cluster {
  const cluster = new Cluster({
    seed,
    voters: 3,
    standbys: POOL - 3,
    limits: {
      electionTimeoutTicks: 5,
      maxAppendBytes: 300,
      maxInflightMessages: 3,
      maxTailBytes: 700,
      maxCommittedBytes: 400,
    },
  });
  const { random } = cluster;
  cluster.faults = {
    stall: random.chance(0.5) ? random.next() * 0.4 : 0,
    loss: random.next() * 0.2,
    duplication: random.next() * 0.2,
    delaySteps: random.below(6),
  };
  // Some runs are quiet, some crash all the time.
  const crashRate = random.next() ** 3 * 0.04;
  const crashAt = (): CrashPoint | null => {
    if (!random.chance(crashRate)) return null;
    covered.crashes += 1;
    return random.pick(CRASH_POINTS) ?? null;
  };
  const pace = new Map<number, number>();
  for (let step = 0; step < STEPS; step += 1) {
    disturb(cluster, step, pace);
    cluster.step(crashAt);
  }
  recover(cluster);
  covered.elections += cluster.history.elections;
  covered.snapshots += cluster.history.snapshots;
  covered.memberships += cluster.history.memberships;
  covered.reads += cluster.history.reads;
  covered.commands += cluster.history.committedCommands.length;
  return cluster;
}

/** Without faults the cluster must elect, commit, serve reads on every member, and agree. */
function recover(cluster: Cluster): void {
  cluster.faults = NO_FAULTS;
  cluster.blocked.clear();
  for (const node of cluster.nodes) if (node.raft === null) cluster.start(node);
  let proposed = false;
  const converged = cluster.until(() => {
    const leader = cluster.leader();
    if (leader === undefined) return false;
    const status = leader.raft?.status();
    if (!proposed && status?.transferTo === null) proposed = cluster.propose(leader, 'the last command');
    if (!cluster.history.committedCommands.includes('the last command')) {
      // Its leader may have lost leadership before it was committed.
      if (leader.state.last.index === status?.lastLog.index) proposed = false;
      return false;
    }
    const members = cluster.nodes.filter((node) => status?.membership.membership.nodes.has(node.id));
    return members.every((node) => node.state.last.index === cluster.history.lastCommitted);
  }, 400);
  expect(converged, 'the cluster recovers once the faults end').toBe(true);
  cluster.settle();
  const leader = cluster.leader();
  if (leader === undefined) throw new Error('a settled cluster has a leader');
  expect(
    isVoter(leader.raft?.status().membership.membership ?? { configs: [], nodes: new Map() }, leader.id),
  ).toBe(true);
  expect(
    cluster.until(() => cluster.pendingReads === 0, 40),
    'no read is forgotten',
  ).toBe(true);
  const acknowledged = cluster.history.committedCommands;
  for (const node of cluster.nodes) {
    if (!leader.raft?.status().membership.membership.nodes.has(node.id)) continue;
    expect(node.state.commands).toEqual(acknowledged);
    const reads = cluster.history.reads;
    cluster.read(node);
    cluster.until(() => cluster.pendingReads === 0, 40);
    expect(cluster.history.reads, `node ${node.id} answers a read`).toBe(reads + 1);
  }
}

describe('random faults', () => {
  for (let first = 0; first < SEEDS; first += 50) {
    test(`seeds ${first} to ${first + 49} keep every promise, then recover`, () => {
      for (let seed = first; seed < first + 50; seed += 1) {
        try {
          run(seed);
        } catch (error) {
          throw new Error(`seed ${seed} failed`, { cause: error });
        }
      }
    });
  }

  test('the same seed gives the same run', () => {
    const [one, other] = [run(7), run(7)].map((cluster) => ({
      nodes: cluster.nodes.map((node) => [node.raft?.status(), node.disk.log, node.state]),
      draw: cluster.random.next(),
    }));
    expect(one).toEqual(other);
  });

  test('the runs have met every kind of event', () => {
    for (const [kind, count] of Object.entries(covered)) expect(count, kind).toBeGreaterThan(SEEDS / 4);
  });
});
