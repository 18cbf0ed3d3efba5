import { afterAll, beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, send } from './http.ts';
import { metadctlOk } from './metadctl.ts';
import { observe } from './observe.ts';
import { knownLevel, type OtherRelease, releaseWithLevel } from './other-release.ts';
import { METAD } from './script-process.ts';
import { waitUntil } from './wait-until.ts';
import { findLoss, WriteStream } from './write-stream.ts';

// One story: a cluster is upgraded to a release that knows one feature level more, a node at a time and under load; from
// then on the release before is refused wherever it turns up.

const cluster = useCluster();
const before = knownLevel();
let newer: OtherRelease;
let newest: OtherRelease;

beforeAll(async () => {
  newer = releaseWithLevel(before + 1);
  newest = releaseWithLevel(before + 2);
  await cluster.form(3);
});

afterAll(() => {
  newer.dispose();
  newest.dispose();
});

async function level(id: number): Promise<number> {
  return (await cluster.metrics(id)).Ok.feature_level;
}

function levels(ids = cluster.runningIds): Promise<number[]> {
  return Promise.all(ids.map(level));
}

function atLevel(wanted: number, ids = cluster.runningIds): Promise<true> {
  return waitUntil(
    async () => (await levels(ids)).every((found) => found === wanted),
    `nodes ${ids} at feature level ${wanted}`,
  );
}

async function upgrade(id: number, release: OtherRelease): Promise<void> {
  await cluster.stop(id);
  cluster.install(id, release.metad);
  await cluster.start(id);
}

/** Writes go on: some more are acknowledged than were. */
async function served(stream: WriteStream, count: number): Promise<void> {
  const enough = stream.acknowledged.length + count;
  await waitUntil(() => stream.acknowledged.length >= enough, `${count} more writes`);
}

test('the level stays until the last node is upgraded, then rises everywhere; no write is lost', async () => {
  await atLevel(before);
  const stream = new WriteStream(cluster, 'upgrade');
  for (const id of [1, 2]) {
    await served(stream, 20);
    await upgrade(id, newer);
    await served(stream, 20);
    expect(await levels()).toEqual([before, before, before]);
  }
  const shown = await Promise.all(
    cluster.ids.map(async (id) => (await cluster.metrics(id)).Ok.max_feature_level),
  );
  expect(shown).toEqual([newer.level, newer.level, before]);

  const status = await metadctlOk('status', '--endpoint', cluster.node(3).addr);
  expect(status.match(new RegExp(` ${before}, lets it rise to ${newer.level}$`, 'gm'))).toHaveLength(2);

  await upgrade(3, newer);
  await atLevel(newer.level);
  await served(stream, 20);
  await stream.stop();
  const { content } = await observe(cluster);
  expect(findLoss(stream.writes, content)).toEqual([]);
  for (const id of cluster.ids) {
    expect(cluster.process(id).log).toContain(`the cluster has risen to feature level ${newer.level}`);
    const metrics = await send({ port: cluster.node(id).ports.manage, path: '/metrics' });
    expect(metrics.text).toMatch(new RegExp(`^metad_feature_level ${newer.level}$`, 'm'));
  }
});

test('the release before does not start on the data of such a node', async () => {
  await cluster.stop(3);
  cluster.install(3, METAD);
  const { code } = await cluster.launch(3).exited;
  expect(code).toBe(1);
  expect(cluster.process(3).log).toContain(
    `has feature level ${newer.level}, but this release knows feature levels up to ${before}: start this node with the release`,
  );
  cluster.install(3, newer.metad);
  await cluster.start(3);
});

test('a node with the release before is not added, and told why; with this one it is', async () => {
  const { addr } = await cluster.add(4);
  cluster.launch(4, '--standby');
  await cluster.listening(4);
  const refused = await cluster.post(1, '/add-learner', [4, addr]);
  expect([refused.status, refused.text]).toEqual([
    409,
    expect.stringContaining(
      `node 4 at ${addr} runs an older release: it knows feature levels up to ${before}, and this cluster is at level ${newer.level}`,
    ),
  ]);
  await cluster.stop(4);
  cluster.install(4, newer.metad);
  cluster.launch(4, '--standby');
  await cluster.listening(4);
  expect(await cluster.addLearner(1, 4)).toHaveProperty('Ok');
  await cluster.ready(4);
  expect(await level(4)).toBe(newer.level);
});

test('a node that goes back to the release before while the level rises stops at that entry', async () => {
  for (const id of [1, 2, 4]) await upgrade(id, newest);
  await cluster.converged();
  expect(await levels()).toEqual([newer.level, newer.level, newer.level, newer.level]);

  // Node 4 has said that it is upgraded, and does not get what follows; node 3, which is not, leaves.
  cluster.pause(4);
  expect(await cluster.changeMembership(1, [1, 2])).toHaveProperty('Ok');
  await atLevel(newest.level, [1, 2]);
  await cluster.kill9(4);
  cluster.install(4, newer.metad);
  expect(await cluster.launch(4).exited).toMatchObject({ code: 1 });
  expect(cluster.process(4).log).toMatch(
    new RegExp(
      `raises the cluster to feature level ${newest.level}, but this release knows feature levels up to`,
    ),
  );
  cluster.install(4, newest.metad);
  await cluster.start(4);
  await atLevel(newest.level, [1, 2, 4]);
  await cluster.stop(3);
  await observe(cluster);
});

test('max_feature_level on one node holds the cluster, until it is started without it', async () => {
  const pair = [11, 12];
  for (const id of pair) {
    await cluster.add(id);
    cluster.install(id, newer.metad);
  }
  const members = pair.map((id) => `${id}=${cluster.node(id).addr}`).join(',');
  const held = ['--max_feature_level', String(before)];
  cluster.launch(11, '--initial_cluster', members);
  cluster.launch(12, '--initial_cluster', members, ...held);
  for (const id of pair) await cluster.ready(id);
  const reason = new RegExp(`level stays ${before}, .*node 12 is held at ${before} by max_feature_level`);
  await waitUntil(async () => {
    // Only a leader that could raise it says who does not let it.
    if ((await cluster.leader(pair)) === 12) await cluster.post(12, '/transfer-leader', 11);
    return reason.test(cluster.process(11).log);
  }, 'node 11 to say who holds the level');
  expect(await levels(pair)).toEqual([before, before]);

  // So the release before can take over a node again.
  await cluster.stop(11);
  cluster.install(11, METAD);
  await cluster.start(11);
  await cluster.write(11, 'downgraded', 'yes');
  await cluster.stop(11);
  cluster.install(11, newer.metad);
  await cluster.start(11);
  await cluster.stop(12);
  await cluster.start(12);
  await atLevel(newer.level, pair);
  expect(json(await cluster.post(12, '/read', 'downgraded'))).toEqual({ OK: 'yes' });
});
