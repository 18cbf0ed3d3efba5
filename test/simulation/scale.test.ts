import {
  Clients,
  drawProfile,
  FAULTS,
  MemoryStore,
  nearby,
  type Profile,
  Random,
  recover,
  SimulatedCluster,
  simulate,
} from '@metad/raft-core/simulation';
import { describe, expect, test } from 'vitest';

const VOTERS = 5;
const LEARNERS = 50;
const PEERS = VOTERS + LEARNERS - 1;

const LARGE = { voters: VOTERS, learners: LEARNERS, nodes: VOTERS + LEARNERS } satisfies Partial<Profile>;

describe('five voters and fifty learners', () => {
  test.each(FAULTS)('converge after: %s', { timeout: 600_000 }, (fault) => {
    const busy = { faults: [fault], faultTicks: 8, ticks: 80, operatorTicks: 1e9, compactionTicks: 30 };
    for (const seed of [1, 2]) {
      const { failure, coverage } = simulate({ seed, profile: { ...LARGE, ...busy } });
      expect(failure).toBeNull();
      expect(coverage.count('write acknowledged')).toBeGreaterThan(0);
    }
  });

  test('an entry costs the leader one append and one word that it is committed, for each peer', () => {
    const random = new Random(1);
    const quiet = {
      faults: [],
      operatorTicks: 1e9,
      compactionTicks: 1e9,
      clients: 0,
      network: nearby(random),
    };
    const profile = { ...drawProfile(random), ...LARGE, ...quiet };
    const store = (_node: unknown, formed: ConstructorParameters<typeof MemoryStore>[0]) =>
      new MemoryStore(formed);
    const cluster = new SimulatedCluster({ profile, random, store, trace: false });
    const clients = new Clients(cluster);
    recover(cluster, clients);
    const { network } = cluster.world;
    const leader = cluster.leader();
    if (leader === undefined) throw new Error('a cluster that has recovered has a leader');

    const entries = 50;
    const ticks = 2 * entries;
    const before = network.sent;
    for (let i = 0; i < entries; i += 1) {
      clients.put(1, leader);
      cluster.run(2);
    }
    const heartbeats = (2 * PEERS * ticks) / profile.limits.heartbeatTicks;
    const perEntry = (network.sent - before - heartbeats) / entries;
    expect(perEntry).toBeGreaterThan(2 * PEERS);
    expect(perEntry).toBeLessThan(4 * PEERS * 1.1);
    expect(
      cluster.nodes.every((node) => node.store.state.applied.index === leader.store.state.applied.index),
    ).toBe(true);
  });
});
