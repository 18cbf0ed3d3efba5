import type { NodeId, RaftStatus } from '@metad/raft-core';
import type { Clients } from './clients.ts';
import { TICK } from './event-queue.ts';
import { Violation } from './invariant.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** In election timeouts. Elections may be divided a few times; more of them in a row mean that something is stuck. */
const MAX_TIMEOUTS_TO_CONVERGE = 40;
const MAX_TIMEOUTS_TO_READ = 20;
const QUIET_TICKS = 10;

/**
 * Liveness, once the faults have ended: within a bounded time the cluster elects a leader that is a voter, commits,
 * brings every member up to date, answers a linearizable read on each, forgets no call, and falls quiet.
 */
export function recover(cluster: SimulatedCluster, clients: Clients): void {
  cluster.makePeace();
  converge(cluster, clients);
  readEverywhere(cluster, clients);
  fallQuiet(cluster);
}

function converge(cluster: SimulatedCluster, clients: Clients): void {
  let asked: { readonly node: NodeId; readonly at: number } | null = null;
  const { queue, coverage } = cluster.world;
  const ticks = cluster.profile.limits.electionTimeoutTicks;
  const acknowledged = () => coverage.count('write acknowledged');
  const before = acknowledged();
  const done = cluster.until(() => {
    const leader = cluster.leader();
    if (leader === undefined) return false;
    // One write a leader, and another one when that has been lost with its leader.
    if (asked?.node !== leader.id || queue.now > asked.at + 4 * ticks * TICK) {
      asked = { node: leader.id, at: queue.now };
      clients.put(0, leader);
    }
    return acknowledged() > before && isSettled(leader.status) && lagging(cluster, leader).length === 0;
  }, MAX_TIMEOUTS_TO_CONVERGE * ticks);
  if (!done) throw new Violation('liveness', `no agreement without faults: ${describe(cluster)}`);
}

/** No change or transfer is under way, and the leader is one of the voters. */
function isSettled(status: RaftStatus | null): boolean {
  if (status === null || status.transferTo !== null || status.committed < status.lastLog.index) return false;
  const { configs } = status.membership.membership;
  return configs.length === 1 && configs[0]?.includes(status.id) === true;
}

/** The members whose state is not the leader's. */
function lagging(cluster: SimulatedCluster, leader: SimulatedNode): readonly SimulatedNode[] {
  return members(cluster, leader).filter((node) => {
    const { applied, digest } = node.store.state;
    return applied.index !== leader.store.state.applied.index || digest !== leader.store.state.digest;
  });
}

/** A node whose disk was replaced is no member until it is added again. */
function members(cluster: SimulatedCluster, leader: SimulatedNode): readonly SimulatedNode[] {
  return cluster.nodes.filter((node) => node.isMemberOf(leader));
}

function readEverywhere(cluster: SimulatedCluster, clients: Clients): void {
  const leader = cluster.leader();
  if (leader === undefined) throw new Violation('liveness', 'a leader is lost without a fault');
  const before = cluster.world.coverage.count('read answered');
  const readers = members(cluster, leader);
  for (const node of readers) for (const key of clients.keys) clients.read(0, key, node, true);
  const asked = readers.length * clients.keys.length;
  const done = cluster.until(
    () =>
      cluster.world.coverage.count('read answered') - before >= asked &&
      readers.every((node) => node.process.pendingReads === 0),
    MAX_TIMEOUTS_TO_READ * cluster.profile.limits.electionTimeoutTicks,
  );
  if (!done) throw new Violation('liveness', `reads are not answered without faults: ${describe(cluster)}`);
}

/** A heartbeat a peer and tick and its answer, and the pre-votes of nodes that were removed and do not know it. */
function fallQuiet(cluster: SimulatedCluster): void {
  const { network } = cluster.world;
  cluster.run(2 * cluster.profile.limits.electionTimeoutTicks);
  const before = network.sent;
  const term = cluster.leader()?.status?.term;
  cluster.run(QUIET_TICKS);
  const bound = QUIET_TICKS * cluster.nodes.length * 4;
  if (network.sent - before > bound) {
    throw new Violation(
      'quiet',
      `${network.sent - before} messages in ${QUIET_TICKS} ticks without work, not ${bound}`,
    );
  }
  if (cluster.leader()?.status?.term !== term)
    throw new Violation('quiet', 'a leader is replaced without a fault');
}

function describe(cluster: SimulatedCluster): string {
  return cluster.nodes
    .map(({ name, status }) => {
      if (status === null) return `${name} is down`;
      return `${name} ${status.role} t${status.term} last ${status.lastLog.index} applied ${status.applied}`;
    })
    .join('; ');
}
