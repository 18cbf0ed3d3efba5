import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { versionOf } from './http.ts';
import type { ChangeAnswer, ShownMembership } from './metrics.ts';
import { waitUntil } from './wait-until.ts';

const cluster = useCluster();

beforeAll(async () => {
  await cluster.form(1);
  for (let number = 0; number < 50; number += 1) await cluster.write(1, `early/${number}`, `${number}`);
});

function membershipOf(answer: ChangeAnswer): ShownMembership {
  if ('Err' in answer) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return answer.Ok.membership;
}

function nodeIds(membership: ShownMembership): number[] {
  return Object.keys(membership.nodes).map(Number);
}

async function addStandby(id: number, through: number): Promise<ShownMembership> {
  await cluster.add(id, '--standby');
  cluster.launch(id);
  await cluster.listening(id);
  const membership = membershipOf(await cluster.addLearner(through, id));
  await cluster.ready(id);
  return membership;
}

/** A learner's or follower's reads, local and linearizable, against the version that node `source` is at. */
async function expectSameVersion(id: number, source: number): Promise<void> {
  const version = await cluster.version(source);
  const linearizable = await cluster.metadata(id, '/?consistency=linearizable', '203.0.113.1');
  expect(versionOf(linearizable)).toBe(version);
  expect(versionOf(await cluster.manage(id, 'GET', '/v1/data'))).toBe(version);
  expect(await cluster.version(id), 'local, after a linearizable read on the same node').toBe(version);
}

test('a standby waits until it is asked to join', async () => {
  await cluster.add(4, '--standby');
  cluster.launch(4);
  await cluster.listening(4);
  const ready = await cluster.manage(4, 'GET', '/ready');
  expect(ready.status).toBe(503);
  // It may not have what it does not show: never 404.
  expect((await cluster.metadata(4, '/early/1', '203.0.113.1')).status).toBe(503);
  await cluster.kill9(4);
});

test('node 2 is added as a learner and reads at the same version', async () => {
  const membership = await addStandby(2, 1);
  expect(membership.configs).toEqual([[1]]);
  expect(nodeIds(membership)).toEqual([1, 2]);
  await expectSameVersion(2, 1);
  expect(await cluster.readAll(2)).toEqual(await cluster.readAll(1));
  await cluster.write(2, 'through/learner', 'forwarded');
  expect(await cluster.read(2, 'through/learner')).toBe('forwarded');
  await expectSameVersion(2, 1);
});

test('node 3 is added through the learner, and all three become voters', async () => {
  expect(nodeIds(await addStandby(3, 2))).toEqual([1, 2, 3]);
  const membership = membershipOf(await cluster.changeMembership(3, [1, 2, 3]));
  expect(membership.configs).toEqual([[1, 2, 3]]);
  expect(nodeIds(membership)).toEqual([1, 2, 3]);
  await expectSameVersion(3, 1);
});

test('a change that makes no sense is refused with its name, through any node', async () => {
  const before = (await cluster.metrics(1)).Ok.membership_config;
  for (const id of [1, 2, 3]) {
    const unknown = await cluster.changeMembership(id, [1, 2, 9]);
    const learnerNotFound = { LearnerNotFound: { node_id: 9 } };
    expect(unknown).toMatchObject({ Err: { APIError: { ChangeMembershipError: learnerNotFound } } });
    const empty = await cluster.changeMembership(id, []);
    expect(empty).toMatchObject({ Err: { APIError: { ChangeMembershipError: { EmptyMembership: {} } } } });
  }
  expect((await cluster.metrics(1)).Ok.membership_config).toEqual(before);
});

test('the cluster of three goes on without its leader', async () => {
  const killed = await cluster.leader();
  const [one = 0, other = 0] = cluster.runningIds.filter((id) => id !== killed);
  await cluster.kill9(killed);
  await waitUntil(
    () => cluster.write(one, 'without', 'leader').then(() => true),
    'a write without the old leader',
  );
  expect(await cluster.read(other, 'without')).toBe('leader');
  await cluster.start(killed);
  await cluster.converged();
  await expectSameVersion(killed, one);
});

test('the leader removes itself: another leads, and it leaves the nodes map', async () => {
  const removed = await cluster.leader();
  const rest = cluster.runningIds.filter((id) => id !== removed);
  const membership = membershipOf(await cluster.changeMembership(removed, rest));
  expect(membership.configs).toEqual([rest]);
  expect(nodeIds(membership)).toEqual(rest);
  expect(rest).toContain(await cluster.leader(rest));
  await cluster.write(rest[0] ?? 0, 'two', 'left');
  await cluster.stop(removed);
});

test('back to one, the leader removing itself again, sent through the other node', async () => {
  const ids = cluster.runningIds;
  const leader = await cluster.leader();
  const last = ids.find((id) => id !== leader) ?? 0;
  const membership = membershipOf(await cluster.changeMembership(last, [last]));
  expect(membership).toEqual({ configs: [[last]], nodes: { [last]: { addr: cluster.node(last).addr } } });
  expect(await cluster.leader([last])).toBe(last);
  await cluster.stop(leader);

  await cluster.write(last, 'one', 'left');
  const content = await cluster.readAll(last);
  for (let number = 0; number < 50; number += 1) expect(content.get(`early/${number}`)).toBe(`${number}`);
  expect(content.get('one')).toBe('left');
  await cluster.stop(last);
  await cluster.start(last);
  expect(await cluster.readAll(last)).toEqual(content);
});
