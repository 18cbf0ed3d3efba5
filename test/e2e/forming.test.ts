import { rmSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json } from './http.ts';
import { spawnMetad } from './script-process.ts';
import { waitUntil } from './wait-until.ts';

const cluster = useCluster();

beforeAll(() => cluster.form(3));

async function membership(through = 1): Promise<unknown> {
  return (await cluster.metrics(through)).Ok.membership_config.membership;
}

/** Asks node 1 to add a node that it must not take; gives the reason. */
async function refusal(id: number, addr: string): Promise<string> {
  const before = await membership();
  const reply = await cluster.post(1, '/add-learner', [id, addr]);
  expect(reply.status).toBeGreaterThanOrEqual(400);
  expect(json(reply)).toEqual({ Err: { APIError: expect.anything() } });
  expect(await membership(), 'the membership is as before').toEqual(before);
  return reply.text;
}

describe('--initial_cluster', () => {
  test('forms the cluster of its words on every node', async () => {
    const nodes = Object.fromEntries(cluster.ids.map((id) => [id, { addr: cluster.node(id).addr }]));
    await cluster.converged();
    for (const id of cluster.ids) expect(await membership(id)).toEqual({ configs: [[1, 2, 3]], nodes });
  });

  test('means nothing more once there is a cluster: a node restarts with or without it', async () => {
    const before = await membership();
    await cluster.stop(2);
    await cluster.start(2);
    await cluster.stop(3);
    const initial = cluster.ids.map((id) => `${id}=${cluster.node(id).addr}`).join(',');
    await cluster.start(3, '--initial_cluster', initial);
    await cluster.converged();
    expect(await membership(3)).toEqual(before);
  });
});

describe('--join', () => {
  test('a node that asks a follower is added as a learner and serves', async () => {
    const leader = await cluster.leader();
    const follower = cluster.ids.find((id) => id !== leader) ?? 0;
    await cluster.write(leader, 'before', 'joining');
    await cluster.add(4, '--join', cluster.node(follower).addr);
    await cluster.start(4);
    expect(await cluster.read(4, 'before')).toBe('joining');
    expect((await cluster.metrics(4)).Ok.state).toBe('Learner');
    expect(await membership()).toMatchObject({
      configs: [[1, 2, 3]],
      nodes: { 4: { addr: cluster.node(4).addr } },
    });
  });

  test('it restarts with the same words', async () => {
    await cluster.stop(4);
    await cluster.start(4);
    expect(await cluster.read(4, 'before')).toBe('joining');
  });
});

describe('a voter that comes back with an empty disk', () => {
  test('is refused with the way out, and the way out works', async () => {
    const words = cluster.ids.filter((id) => id <= 3).map((id) => `${id}=${cluster.node(id).addr}`);
    await cluster.stop(3);
    rmSync(cluster.node(3).dataDir, { recursive: true });
    // It does not remember for whom it has voted, nor what it has acknowledged.
    const returned = cluster.launch(3, '--initial_cluster', words.join(','));
    await cluster.listening(3);
    const logs = (): string => [1, 2, 3].map((id) => cluster.process(id).log).join('');
    await waitUntil(
      () => /node 3 .*another data directory.*remove/.test(logs()),
      'a message that says how to mend it',
    );
    expect((await cluster.manage(3, 'GET', '/ready')).status).toBe(503);
    await returned.end('SIGKILL');

    await cluster.write(1, 'while', 'two are left');
    expect(await cluster.changeMembership(1, [1, 2])).toMatchObject({
      Ok: { membership: { configs: [[1, 2]] } },
    });
    rmSync(cluster.node(3).dataDir, { recursive: true });
    cluster.launch(3, '--standby');
    await cluster.listening(3);
    expect(await cluster.addLearner(1, 3)).toHaveProperty('Ok');
    expect(await cluster.changeMembership(2, [1, 2, 3])).toMatchObject({
      Ok: { membership: { configs: [[1, 2, 3]] } },
    });
    await cluster.ready(3);
    expect(await cluster.read(3, 'while')).toBe('two are left');
  });
});

describe('refused', () => {
  test('a node that belongs to another cluster', async () => {
    await cluster.add(5);
    await cluster.start(5);
    await cluster.write(5, 'own', 'data');
    expect(await refusal(5, cluster.node(5).addr)).toMatch(
      /another cluster|other cluster|different cluster/i,
    );
    expect(await cluster.read(5, 'own')).toBe('data');
    await cluster.stop(5);
  });

  test('a second node at the address of another', async () => {
    expect(await refusal(9, cluster.node(2).addr)).toMatch(/address|127\.0\.0\.1/);
  });

  test('a node that has another id than the one it is added under', async () => {
    await cluster.add(8, '--standby');
    cluster.launch(8);
    await cluster.listening(8);
    expect(await refusal(9, cluster.node(8).addr)).toMatch(/\b8\b/);
    await cluster.kill9(8);
  });

  test('an address where nobody listens', async () => {
    const [port = 0] = await cluster.ports(1);
    expect(await refusal(9, `127.0.0.1:${port}`)).toContain(`127.0.0.1:${port}`);
  });

  test('a data directory that belongs to another node id', async () => {
    await cluster.stop(4);
    const args = cluster.args(4).map((word, index, words) => (words[index - 1] === '--id' ? '7' : word));
    const process = spawnMetad(args);
    const { code } = await process.exited;
    expect(code, process.log).toBeGreaterThan(0);
    expect(process.log).toMatch(/\b4\b/);
    expect(process.log).toContain(cluster.node(4).dataDir);
    await cluster.start(4);
  });
});
