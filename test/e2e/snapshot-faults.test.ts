import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { versionOf } from './http.ts';
import { observe } from './observe.ts';
import { PeerProxy } from './peer-proxy.ts';
import { waitUntil } from './wait-until.ts';

const cluster = useCluster();
const proxies: PeerProxy[] = [];

const SHORT_LOG = ['--snapshot_log_entries', '100', '--snapshot_keep_entries', '5'];
const LEAVES_PER_WRITE = 5000;
const LEAF_BYTES = 600;
/** At least. */
const STATE_BYTES = 3 * LEAVES_PER_WRITE * LEAF_BYTES;
const CLIENT = '192.0.2.7';

beforeAll(async () => {
  await cluster.form(1, ...SHORT_LOG);
  for (let part = 0; part < 3; part += 1) {
    const leaves = Object.fromEntries(
      Array.from({ length: LEAVES_PER_WRITE }, (_, number) => [`k${number}`, 'v'.repeat(LEAF_BYTES)]),
    );
    expect((await cluster.manage(1, 'PUT', `/v1/data/large/${part}`, leaves)).status).toBe(200);
  }
  await compacted();
});

afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close();
});

/** Writes until the leader's log begins behind all that it had applied before, and `more` entries. */
async function compacted(more = 0): Promise<void> {
  const applied = ((await cluster.metrics(1)).Ok.last_applied?.index ?? 0) + more;
  await waitUntil(async () => {
    for (let number = 0; number < 50; number += 1)
      await cluster.write(1, `small/${number % 10}`, `${number}`);
    return ((await cluster.metrics(1)).Ok.purged?.index ?? 0) > applied;
  }, `a log that begins behind entry ${applied}`);
}

/** Starts a new node as a learner that the leader reaches through a proxy. */
async function addBehindProxy(id: number): Promise<PeerProxy> {
  const [port = 0] = await cluster.ports(1);
  const node = await cluster.add(id, '--advertise_cluster', `127.0.0.1:${port}`);
  const proxy = await PeerProxy.start(port, node.ports.cluster);
  proxies.push(proxy);
  cluster.launch(id, '--standby', ...SHORT_LOG);
  await cluster.listening(id);
  return proxy;
}

async function remove(id: number): Promise<void> {
  expect((await cluster.post(1, '/remove-learner', id)).status).toBe(200);
  await cluster.kill9(id);
}

/** What the files of a directory with such a name hold. */
function bytesOf(directory: string, name: RegExp): number {
  const files = existsSync(directory) ? readdirSync(directory).filter((file) => name.test(file)) : [];
  const sizes = files.map((file) => statSync(join(directory, file), { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Looks without a pause: the stages of an install are short. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the stage was not reached');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function offsets(id: number): number[] {
  return [...cluster.process(id).log.matchAll(/"offset":(\d+),"msg":"receives/g)].map(([, offset]) =>
    Number(offset),
  );
}

test('a connection that breaks in the middle of a snapshot: it goes on where it was', async () => {
  const proxy = await addBehindProxy(2);
  proxy.cutAfter(STATE_BYTES / 2);
  expect(await cluster.addLearner(1, 2, cluster.node(2).flags[1])).toHaveProperty('Ok');
  await cluster.ready(2);
  await observe(cluster);
  const [first, second = 0] = offsets(2);
  expect(first).toBe(0);
  expect(second).toBeGreaterThan(STATE_BYTES / 4);
  await remove(2);
});

test('kill -9 of the receiver at every stage: it begins anew each time, and has it all in the end', async () => {
  await cluster.add(3);
  const { dataDir } = cluster.node(3);
  const received = () => bytesOf(join(dataDir, 'snapshots'), /^received/);
  const stages: readonly (() => boolean)[] = [
    () => received() > 0,
    () => received() > STATE_BYTES / 2,
    () => received() >= STATE_BYTES,
    () => readdirSync(dataDir).filter((name) => /^state.*\.db$/.test(name)).length > 1,
  ];
  cluster.launch(3, '--standby', ...SHORT_LOG);
  await cluster.listening(3);
  const added = cluster.addLearner(1, 3);
  for (const [number, isThere] of stages.entries()) {
    await until(() => isThere() || cluster.process(3).log.includes('installed a snapshot'));
    await cluster.kill9(3);
    await cluster.write(1, `after/kill/${number}`, 'x');
    await compacted();
    cluster.launch(3, ...SHORT_LOG);
  }
  await added;
  await cluster.ready(3);
  const { content } = await observe(cluster);
  expect(content.get('after/kill/3')).toBe('x');
  await remove(3);
});

test('whoever waits on a node that gets a snapshot is told what is new, and at what version', async () => {
  await cluster.add(4);
  cluster.launch(4, '--standby', ...SHORT_LOG);
  await cluster.listening(4);
  expect(await cluster.addLearner(1, 4)).toHaveProperty('Ok');
  await cluster.ready(4);
  await cluster.manage(1, 'PUT', '/v1/rule', { [CLIENT]: [{ path: '/', mode: 1 }] });
  await cluster.write(1, 'awaited/key', 'old');
  await cluster.converged();
  const before = versionOf(await cluster.metadata(4, '/awaited/key', CLIENT));
  const waiting = cluster.metadata(4, `/awaited/key?wait=true&prev_version=${before}`, CLIENT);
  const late = (): Promise<unknown> =>
    cluster.metadata(4, `/awaited/key?wait=true&prev_version=${before}`, CLIENT);
  await waitUntil(
    async () => /^metad_waiters 1$/m.test((await cluster.manage(4, 'GET', '/metrics')).text),
    'a waiter',
  );
  cluster.pause(4);
  // More than what may be on its way to a node that says nothing: what follows comes by the snapshot.
  await compacted(300);
  await cluster.write(1, 'awaited/key', 'new');
  await compacted();
  cluster.resume(4);
  const reply = await waiting;
  await waitUntil(() => cluster.process(4).log.match(/installed a snapshot/g)?.length === 2, 'an install');
  expect(reply.text).toContain('new');
  expect(versionOf(reply)).toBeGreaterThan(before);
  // What changed since is not known any more here: it is answered at once.
  expect(await late()).toMatchObject({ status: 200 });
  await observe(cluster);
});
