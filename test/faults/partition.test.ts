import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from '../e2e/cluster.ts';
import { waitUntil } from '../e2e/wait-until.ts';
import { read } from './endpoint.ts';
import { formBehind } from './form-behind.ts';
import { SHORT_LOG } from './kill-loop.ts';
import { Load } from './load.ts';
import { PeerNetwork } from './peer-network.ts';

// The ways between the nodes break, while clients reach every node: those that are cut off must say so, or wait.

const cluster = useCluster();
const network = new PeerNetwork();

afterAll(() => network.close());

beforeAll(() => formBehind(cluster, network, ...SHORT_LOG, '--leader_wait', '1s', '--propose_timeout', '1s'));

/** The leader and the two others. */
async function roles(): Promise<{ leader: number; others: number[] }> {
  const leader = await cluster.leader();
  return { leader, others: cluster.ids.filter((id) => id !== leader) };
}

/** Waits until another node leads. */
async function nextLeader(old: number): Promise<number> {
  return waitUntil(async () => {
    const leader = await cluster.leader(cluster.ids.filter((id) => id !== old));
    return leader !== old && leader;
  }, `another leader than ${old}`);
}

async function heal(load: Load): Promise<void> {
  network.heal();
  for (const id of cluster.ids) await cluster.ready(id);
  await load.goesOn();
  expect(await load.problems()).toEqual([]);
}

describe('under clients of every node', () => {
  test('a leader that is cut off serves no stale read, and its writes come true or do not', async () => {
    const load = await Load.start(cluster, 'alone');
    await load.goesOn();
    const { leader, others } = await roles();
    await cluster.write(leader, 'seen', 'before');
    network.part([leader], others);
    const next = await nextLeader(leader);
    await cluster.write(next, 'seen', 'since');
    const answers = await Promise.all([0, 1, 2].map((door) => read(door, cluster.node(leader), 'seen')));
    for (const answer of answers) expect([undefined, 'since'], 'not the old value').toContain(answer);
    await load.goesOn(10);
    await heal(load);
    expect(await cluster.read(leader, 'seen')).toBe('since');
  });

  test('a leader that hears nobody gives up, though the others hear it', async () => {
    const load = await Load.start(cluster, 'deaf');
    await load.goesOn();
    const { leader, others } = await roles();
    for (const other of others) network.block(other, leader);
    await nextLeader(leader);
    await load.goesOn(10);
    await heal(load);
  });

  test('followers that do not reach each other change nothing', async () => {
    const load = await Load.start(cluster, 'bridge');
    await load.goesOn();
    const { others } = await roles();
    network.part(...others.map((id) => [id]));
    await load.goesOn(60);
    await heal(load);
  });

  test('nodes that are all alone acknowledge nothing, and agree once they are not', async () => {
    const load = await Load.start(cluster, 'parted');
    await load.goesOn();
    network.part(...cluster.ids.map((id) => [id]));
    await waitUntil(async () => {
      const states = await Promise.all(cluster.ids.map(async (id) => (await cluster.metrics(id)).Ok.state));
      return !states.includes('Leader');
    }, 'no node to lead');
    const { ok } = load.clients.tally;
    const { unknown, failed } = load.clients.tally;
    await waitUntil(
      () => load.clients.tally.unknown + load.clients.tally.failed >= unknown + failed + 10,
      'writes that are not acknowledged',
    );
    expect(load.clients.tally.ok).toBe(ok);
    await heal(load);
  });
});
