import type { NodeId } from '@metad/raft-core';
import type { Clients } from './clients.ts';
import { Violation } from './invariant.ts';
import type { Link } from './network.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** How long one fault lasts, in election timeouts: longer than any timer of a node. */
const TIMEOUTS = 3;
/** How long a new leader may take: elections may be divided a few times. */
const MAX_TIMEOUTS_TO_REPLACE = 30;

/**
 * One fault at a time on a cluster that is well, each with an exact expectation. They find the bugs that only cost
 * time: in the noise of many faults nobody could tell a needless election from a needed one.
 */
export function drill(cluster: SimulatedCluster, clients: Clients): void {
  undisturbedByOne(cluster, 'is cut off', (node, others) => [...links(node, others), ...links(others, node)]);
  undisturbedByOne(cluster, 'hears nothing', (node, others) => links(others, node));
  undisturbedByOne(cluster, 'is not heard', (node, others) => links(node, others));
  transferToNobody(cluster, clients);
  replacedWhenDeaf(cluster, clients, 'hears nothing', (node, others) => links(others, node));
  replacedWhenDeaf(cluster, clients, 'is cut off', (node, others) => [
    ...links(node, others),
    ...links(others, node),
  ]);
}

type Cut = (node: readonly NodeId[], others: readonly NodeId[]) => readonly Link[];

/** Whatever happens to one node that does not lead, the leader leads on, during it and after (thesis §4.2.3, §9.6). */
function undisturbedByOne(cluster: SimulatedCluster, what: string, cut: Cut): void {
  const leader = leaderOf(cluster);
  const victim = cluster.world.random.pick(cluster.nodes.filter((node) => node !== leader));
  const voters = leader.status?.membership.membership.configs.flat() ?? [];
  // Without the victim there must still be a quorum.
  if (victim === undefined || (voters.includes(victim.id) && voters.length < 3)) return;
  const term = leader.status?.term;
  const whose = `while n${victim.id} ${what}`;
  cluster.world.trace.note('drill', () => whose);
  during(cluster, cut([victim.id], idsWithout(cluster, victim)), () => wait(cluster, TIMEOUTS));
  wait(cluster, TIMEOUTS);
  if (leader.status?.role !== 'leader' || leader.status.term !== term) {
    throw new Violation(
      'undisturbed',
      `leader ${leader.id} of term ${term} was deposed ${whose}, or afterwards`,
    );
  }
}

/** A leader that cannot hear its followers makes room for one that can, and knows that it leads no more (thesis §6.2). */
function replacedWhenDeaf(cluster: SimulatedCluster, clients: Clients, what: string, cut: Cut): void {
  const leader = leaderOf(cluster);
  const voters = leader.status?.membership.membership.configs.flat() ?? [];
  if (voters.length < 3) return;
  const whose = `while leader n${leader.id} ${what}`;
  cluster.world.trace.note('drill', () => whose);
  during(cluster, cut([leader.id], idsWithout(cluster, leader)), () => {
    const replaced = cluster.until(
      () => cluster.leader() !== undefined && cluster.leader() !== leader && leader.status?.role !== 'leader',
      MAX_TIMEOUTS_TO_REPLACE * cluster.profile.limits.electionTimeoutTicks,
    );
    if (!replaced) throw new Violation('replaced', `nobody else leads alone ${whose}`);
    commitsOn(cluster, clients, whose);
  });
  commitsOn(cluster, clients, 'after that');
}

/** A transfer to a node that does not answer ends by itself, and until then nothing is lost but time (thesis §3.10). */
function transferToNobody(cluster: SimulatedCluster, clients: Clients): void {
  const leader = leaderOf(cluster);
  const voters = leader.status?.membership.membership.configs.flat() ?? [];
  const target = cluster.nodes.find((node) => node !== leader && voters.includes(node.id));
  if (target === undefined || voters.length < 3) return;
  const whose = `after a transfer to n${target.id}, which is cut off`;
  cluster.world.trace.note('drill', () => whose);
  const around = [
    ...links([target.id], idsWithout(cluster, target)),
    ...links(idsWithout(cluster, target), [target.id]),
  ];
  during(cluster, around, () => {
    leader.input((raft) => raft.transferLeadership(target.id));
    wait(cluster, 2);
    commitsOn(cluster, clients, whose);
  });
}

function commitsOn(cluster: SimulatedCluster, clients: Clients, when: string): void {
  const { coverage } = cluster.world;
  const before = coverage.count('write acknowledged');
  let asked: SimulatedNode | undefined;
  const done = cluster.until(() => {
    const leader = cluster.leader();
    if (leader !== undefined && leader !== asked) {
      asked = leader;
      clients.put(0, leader);
    }
    return coverage.count('write acknowledged') > before;
  }, MAX_TIMEOUTS_TO_REPLACE * cluster.profile.limits.electionTimeoutTicks);
  if (!done) throw new Violation('commits on', `nothing is committed ${when}`);
}

function during(cluster: SimulatedCluster, cut: readonly Link[], act: () => void): void {
  cluster.world.network.cut(cut);
  act();
  cluster.world.network.mend(cut);
}

function wait(cluster: SimulatedCluster, timeouts: number): void {
  cluster.run(timeouts * cluster.profile.limits.electionTimeoutTicks);
}

function leaderOf(cluster: SimulatedCluster): SimulatedNode {
  const leader = cluster.leader();
  if (leader === undefined) throw new Violation('commits on', 'a cluster that is well has a leader');
  return leader;
}

function links(from: readonly NodeId[], to: readonly NodeId[]): Link[] {
  return from.flatMap((one) => to.map((other) => ({ from: one, to: other })));
}

function idsWithout(cluster: SimulatedCluster, node: SimulatedNode): NodeId[] {
  return cluster.nodes.filter((other) => other !== node).map(({ id }) => id);
}
