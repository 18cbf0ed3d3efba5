import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { type Reply, send, versionOf } from './http.ts';
import { metadctl } from './metadctl.ts';
import { waitUntil } from './wait-until.ts';

// A node that was removed says so wherever it is asked, shows nothing old, and can be had back as it is.

const CLIENT = '10.0.0.7';
const SAID = /this node was removed from its cluster/;
const HELD_TIMEOUT_MS = 150_000;
const cluster = useCluster();

beforeAll(async () => {
  await cluster.form(3);
  await cluster.manage(1, 'PUT', '/v1/data/color', 'red');
  await cluster.manage(1, 'PUT', '/v1/rule', { [CLIENT]: [{ path: '/', mode: 1 }] });
  await cluster.converged();
});

/** Without the node, by request to another one. */
async function remove(id: number): Promise<void> {
  await setVoters(cluster.ids.filter((other) => other !== id));
}

/** As often as it takes: a new leader records who its members are, and takes one change at a time. */
async function setVoters(voters: readonly number[]): Promise<void> {
  const [through = 0] = voters;
  await waitUntil(async () => 'Ok' in (await cluster.changeMembership(through, voters)), `voters ${voters}`);
}

async function expectRemoved(id: number): Promise<void> {
  await waitUntil(
    async () => SAID.test((await cluster.manage(id, 'GET', '/ready')).text),
    `node ${id} to know that it was removed`,
  );
  const ready = await cluster.manage(id, 'GET', '/ready');
  expect([ready.status, ready.text]).toEqual([
    503,
    expect.stringMatching(/add it again with POST \/add-learner/),
  ]);
  for (const path of ['/color', '/color?wait=true', '/color?consistency=linearizable']) {
    const read = await cluster.metadata(id, path, CLIENT);
    expect([read.status, read.text], path).toEqual([503, expect.stringMatching(SAID)]);
  }
  for (const path of ['/read', '/read?consistency=local'])
    expect(await cluster.post(id, path, 'color'), path).toMatchObject({ status: 503 });
  const write = await cluster.post(id, '/write', { Put: { key: 'never', value: 'taken' } });
  expect([write.status, write.headers['x-metad-error']]).toEqual([503, expect.stringMatching(SAID)]);
  const status = await metadctl('status', '--endpoint', cluster.node(id).addr);
  expect(status).toEqual({
    code: 1,
    output: expect.stringMatching(new RegExp(`is node ${id}, which was removed: .*ask one of them\n$`)),
  });
  expect((await cluster.manage(id, 'GET', '/metrics')).text).toMatch(/^metad_removed 1$/m);
  expect(cluster.process(id).exit, 'it stays up to say so').toBeNull();
}

/** A request that nobody answers before the node has something to say. */
function held(id: number, path: string, headers: Record<string, string> = {}): Promise<Reply> {
  const all = { 'X-Forwarded-For': CLIENT, ...headers };
  return send({ port: cluster.node(id).ports.metadata, path, headers: all, timeoutMs: HELD_TIMEOUT_MS });
}

/** As it is, with what it has. */
async function addAgain(id: number): Promise<void> {
  const other = cluster.ids.find((candidate) => candidate !== id) ?? 0;
  await waitUntil(async () => 'Ok' in (await cluster.addLearner(other, id)), `node ${id} to be added`);
  await cluster.ready(id);
  await cluster.write(id, 'color', 'green');
  expect(await cluster.metadata(id, '/color', CLIENT)).toMatchObject({ status: 200, text: '"green"' });
  await setVoters(cluster.ids);
}

test('a node that hears of nobody does not take itself for removed', async () => {
  await cluster.kill9(1, 2);
  await waitUntil(
    async () => (await cluster.manage(3, 'GET', '/ready')).text.includes('no leader is known'),
    'node 3 to miss its leader',
  );
  expect((await cluster.manage(3, 'GET', '/ready')).text).not.toMatch(SAID);
  expect((await cluster.metadata(3, '/color', CLIENT)).status).toBe(200);
  const { output } = await metadctl('status', '--endpoint', cluster.node(3).addr);
  expect(output).toMatch(/no node leads/);
});

test('a follower: who waits there is answered, and nothing old is shown', async () => {
  await Promise.all([cluster.start(1), cluster.start(2)]);
  const leader = await cluster.leader();
  const id = cluster.ids.find((other) => other !== leader) ?? 0;
  const seen = versionOf(await cluster.metadata(id, '/color', CLIENT));
  const waiting = held(id, `/color?wait=true&timeout=600&prev_version=${seen}`);
  const stream = held(id, '/color', { Accept: 'text/event-stream' });
  await remove(id);
  const answer = await waiting;
  expect([answer.status, answer.text]).toEqual([503, expect.stringMatching(SAID)]);
  expect((await stream).text, 'a stream is ended').toMatch(/event: state/);
  await expectRemoved(id);
  await cluster.stop(id);
  cluster.launch(id);
  await expectRemoved(id);
  await addAgain(id);
});

test('the leader', async () => {
  const id = await cluster.leader();
  await remove(id);
  await expectRemoved(id);
  await addAgain(id);
});

test('a node that was down meanwhile', async () => {
  await cluster.stop(3);
  await remove(3);
  cluster.launch(3);
  await expectRemoved(3);
  await addAgain(3);
});
