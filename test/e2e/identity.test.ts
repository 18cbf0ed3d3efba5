import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, send } from './http.ts';
import type { ShownMembership } from './metrics.ts';
import { type ScriptProcess, spawnMetad } from './script-process.ts';
import { waitUntil } from './wait-until.ts';

// Whoever is not the node that the membership means is refused, wherever it comes from, in words that say what to do;
// each test does it, and then the cluster is whole again. The wiped voter is in forming.test.ts.

const cluster = useCluster();

beforeAll(async () => {
  await cluster.form(1);
  await cluster.write(1, 'first', 'of all');
  for (const id of [2, 3]) await joinAs(id);
  await promote(1, 2, 3);
});

/** Adds a node with an empty disk, so that its instance is recorded at once. */
async function joinAs(id: number): Promise<void> {
  if (!cluster.ids.includes(id)) await cluster.add(id);
  cluster.launch(id, '--standby');
  await cluster.listening(id);
  expect(await cluster.addLearner(1, id)).toHaveProperty('Ok');
}

async function promote(...voters: readonly number[]): Promise<void> {
  expect(await cluster.changeMembership(1, voters)).toHaveProperty('Ok');
  for (const id of cluster.runningIds) await cluster.ready(id);
}

async function membership(): Promise<ShownMembership> {
  return (await cluster.metrics(1)).Ok.membership_config.membership;
}

function says(process: ScriptProcess, message: RegExp): Promise<true> {
  return waitUntil(() => message.test(process.log), `a log line like ${message}`);
}

/** Waits until a node listens, which then must not serve. */
async function expectNotReady(port: number): Promise<void> {
  const status = await waitUntil(
    async () => (await send({ port, path: '/ready' })).status,
    `an answer on port ${port}`,
  );
  expect(status).toBe(503);
}

/** A node's words with other values for some of them. */
function words(id: number, changes: Readonly<Record<string, string>>): string[] {
  return cluster.args(id).map((word, index, all) => changes[all[index - 1] ?? ''] ?? word);
}

/** Everything can be written and read on every node. */
async function expectWhole(key: string): Promise<void> {
  await cluster.write(1, key, 'whole');
  for (const id of cluster.runningIds) {
    await cluster.ready(id);
    expect(await cluster.read(id, key)).toBe('whole');
  }
}

test('a copy of a running node is refused and told to end; the node itself is not disturbed', async () => {
  const { addr, dataDir } = cluster.node(2);
  const before = (await cluster.metrics(1)).Ok;
  const copy = join(cluster.scratch('copy'), 'node-2');
  cpSync(dataDir, copy, { recursive: true });
  const [metadata, manage = 0, peers] = await cluster.ports(3);
  const twin = spawnMetad(
    words(2, {
      '--data_dir': copy,
      '--listen': `127.0.0.1:${metadata}`,
      '--listen_manage': `127.0.0.1:${manage}`,
      '--listen_cluster': `127.0.0.1:${peers}`,
    }),
  );
  const advice = new RegExp(
    `node 2 runs twice: at ${addr}, and here on a copy of its data directory; end this process`,
  );
  await says(twin, advice);
  await expectNotReady(manage);
  const moved = await cluster.post(1, '/add-learner', [2, `127.0.0.1:${peers}`]);
  expect([moved.status, moved.text]).toEqual([
    409,
    expect.stringContaining(`node 2 runs twice, at ${addr} and at 127.0.0.1:${peers}`),
  ]);
  await cluster.ready(2);
  await twin.end('SIGTERM');
  expect(twin.log, 'never one of the cluster').not.toMatch(/leads|caught up/);
  const { current_term, membership_config } = (await cluster.metrics(1)).Ok;
  expect({ current_term, membership_config }).toEqual({
    current_term: before.current_term,
    membership_config: before.membership_config,
  });
  await expectWhole('after/copy');
});

test('a wrong address in the membership, where another node listens', async () => {
  const { addr: left } = cluster.node(3);
  await cluster.stop(3);
  // The same disk, but other ports.
  const { addr: found } = await cluster.add(3);
  const moved = cluster.launch(3);
  await cluster.add(9, '--standby');
  const stranger = spawnMetad(words(9, { '--listen_cluster': left }));
  const advice = /this is node 9, not node 3: correct the address of node 3 with POST \/add-learner \[3, /;
  for (const id of [1, 2]) await says(cluster.process(id), advice);
  await says(moved, new RegExp(`look for this node at ${left}, not at ${found}: .*/add-learner \\[3, `));

  const second = await cluster.post(1, '/add-learner', [9, left]);
  expect([second.status, second.text]).toEqual([
    409,
    expect.stringContaining(`${left} is already the address of node 3`),
  ]);

  expect(await cluster.addLearner(1, 3)).toHaveProperty('Ok');
  expect((await membership()).nodes[3]).toMatchObject({ addr: found });
  await expectWhole('after/address');
  await stranger.end('SIGKILL');
});

describe('a node that was removed', () => {
  const old = (): string => join(cluster.node(3).dataDir, '..', 'old-node-3');

  test('while it was down comes back and is told how to become one again', async () => {
    await cluster.stop(3);
    await promote(1, 2);
    const returned = cluster.launch(3);
    await says(
      returned,
      /node 3 is no member of this cluster, or no longer: .*--standby .*empty data directory.*POST \/add-learner \[3, /,
    );
    await expectNotReady(cluster.node(3).ports.manage);
    await cluster.stop(3);

    cpSync(cluster.node(3).dataDir, old(), { recursive: true });
    rmSync(cluster.node(3).dataDir, { recursive: true });
    await joinAs(3);
    await promote(1, 2, 3);
    await expectWhole('after/removal');
  });

  test('comes back when its id has been given to another disk', async () => {
    await cluster.stop(3);
    const returned = spawnMetad(words(3, { '--data_dir': old() }));
    await says(
      returned,
      /node 3 has another data directory than the one that joined .*POST \/change-membership.*POST \/add-learner \[3, /,
    );
    await says(cluster.process(1), /node 3 runs on another data directory than its membership record says/);
    await expectNotReady(cluster.node(3).ports.manage);
    await returned.end('SIGKILL');
    await cluster.start(3);
    await expectWhole('after/old disk');
  });
});

test('a node of another cluster in the place of a member, and added as a new one', async () => {
  await cluster.stop(3);
  const foreign = spawnMetad(words(3, { '--data_dir': cluster.scratch('foreign') }));
  await says(foreign, /caught up/);
  await says(cluster.process(1), /node 3 runs on another data directory than its membership record says/);
  await foreign.end('SIGKILL');
  await cluster.start(3);
  await expectWhole('after/foreign');

  const { addr, dataDir } = await cluster.add(5);
  await cluster.start(5);
  const refused = await cluster.post(1, '/add-learner', [5, addr]);
  expect(json(refused)).toMatchObject({ Err: { APIError: expect.anything() } });
  expect(refused.text).toMatch(/node 5 at .* belongs to another cluster: start it with an empty data dir/);
  await cluster.stop(5);
  rmSync(dataDir, { recursive: true });
  await joinAs(5);
  await expectWhole('after/stranger');
  expect((await cluster.post(1, '/remove-learner', 5)).status).toBe(200);
  await cluster.stop(5);
});

test('a node that was away while a disk was replaced follows the new one', async () => {
  await joinAs(4);
  await promote(1, 2, 3, 4);
  await cluster.stop(2);
  await cluster.stop(3);
  // Three of four have to agree until node 3 is out: it is started once more, to leave.
  await cluster.start(3);
  expect(await cluster.changeMembership(1, [1, 2, 4])).toHaveProperty('Ok');
  await cluster.stop(3);
  rmSync(cluster.node(3).dataDir, { recursive: true });
  await joinAs(3);
  expect(await cluster.changeMembership(1, [1, 2, 3, 4])).toHaveProperty('Ok');
  await waitUntil(async () => {
    await cluster.post(1, '/transfer-leader', 3);
    return (await cluster.leader()) === 3;
  }, 'node 3 to lead');
  await cluster.write(1, 'while/away', 'written');

  await cluster.start(2);
  expect(await cluster.read(2, 'while/away')).toBe('written');
  expect((await cluster.metrics(2)).Ok.current_leader, 'under the same leader').toBe(3);
  // What it has learned it keeps: links that break are opened again.
  await cluster.stop(2);
  await cluster.start(2);
  await expectWhole('after/all');
});
