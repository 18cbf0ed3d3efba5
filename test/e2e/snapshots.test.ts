import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json } from './http.ts';
import type { ShownLogId } from './metrics.ts';
import { observe } from './observe.ts';
import { waitUntil } from './wait-until.ts';
import { findLoss, WriteStream } from './write-stream.ts';

const cluster = useCluster();

/** So short that every test here compacts it many times. */
const SHORT_LOG = ['--snapshot_log_entries', '200', '--snapshot_keep_entries', '20'];

const VALUE = 'v'.repeat(1000);

beforeAll(() => cluster.form(3, ...SHORT_LOG));

/** Overwrites a few keys many times, some writes at once. */
async function overwrite(through: number, count: number): Promise<void> {
  const clients = 16;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let number = 0; number < count / clients; number += 1) {
        await cluster.write(through, `over/${client}`, `${VALUE}${number}`);
      }
    }),
  );
}

async function purgedTo(id: number): Promise<number> {
  return (await cluster.metrics(id)).Ok.purged?.index ?? 0;
}

/** Waits until a node's log begins behind what it had applied when this was called. */
async function compacted(id: number, writes = 400): Promise<number> {
  const applied = (await cluster.metrics(id)).Ok.last_applied?.index ?? 0;
  await overwrite(id, writes);
  return waitUntil(async () => {
    const purged = await purgedTo(id);
    return purged > applied && purged;
  }, `node ${id} compacts its log beyond entry ${applied}`);
}

async function restart(id: number): Promise<void> {
  await cluster.start(id, ...SHORT_LOG);
}

test('a learner that is added after the log was compacted gets the whole state, at the same version', async () => {
  const leader = await cluster.leader();
  await cluster.write(leader, 'before/compaction', 'kept');
  await compacted(leader);
  await cluster.add(4);
  cluster.launch(4, '--standby', ...SHORT_LOG);
  await cluster.listening(4);
  expect(await cluster.addLearner(leader, 4)).toHaveProperty('Ok');
  await cluster.ready(4);
  const { content } = await observe(cluster);
  expect(content.get('before/compaction')).toBe('kept');
  expect(cluster.process(4).log).toContain('installed a snapshot');
});

test('a follower that missed what was compacted comes back by a snapshot while writes go on, and nothing is lost', async () => {
  const leader = await cluster.leader();
  const follower = [1, 2, 3].find((id) => id !== leader) ?? 0;
  await cluster.kill9(follower);
  await compacted(leader);
  const stream = new WriteStream(cluster, 'meanwhile');
  await restart(follower);
  await waitUntil(() => stream.acknowledged.length > 300, 'writes beside the snapshot');
  await stream.stop();
  const { content } = await observe(cluster);
  expect(findLoss(stream.writes, content)).toEqual([]);
  expect(cluster.process(follower).log).toContain('installed a snapshot');
});

test('POST /snapshot takes a snapshot of all that was applied on the node that is asked', async () => {
  for (const id of [1, 4]) {
    const applied = await cluster.converged();
    const reply = await cluster.post(id, '/snapshot', null);
    expect(reply.status).toBe(200);
    const { log_id } = (json(reply) as { Ok: { log_id: ShownLogId } }).Ok;
    expect(log_id.index).toBeGreaterThanOrEqual(applied);
    expect((await cluster.metrics(id)).Ok.snapshot).toEqual(log_id);
  }
});

test('a damaged snapshot is noticed, and another one is taken and sent', async () => {
  const leader = await cluster.leader();
  const follower = [1, 2, 3].find((id) => id !== leader) ?? 0;
  await cluster.kill9(follower);
  await compacted(leader);
  expect((await cluster.post(leader, '/snapshot', null)).status).toBe(200);
  await cluster.kill9(leader);
  const directory = join(cluster.node(leader).dataDir, 'snapshots');
  const [file = ''] = readdirSync(directory);
  writeFileSync(join(directory, file), Buffer.alloc(100, 1), { flag: 'r+' });
  await restart(leader);
  const reply = await cluster.post(leader, '/snapshot', null);
  expect(reply.status).toBe(200);
  await restart(follower);
  await observe(cluster);
});

test('the disk use of the log stays the same over many overwrites', async () => {
  const leader = await cluster.leader();
  const size = () => statSync(join(cluster.node(leader).dataDir, 'log.db')).size;
  await compacted(leader, 800);
  const before = size();
  await overwrite(leader, 2000);
  expect(size()).toBeLessThanOrEqual(before * 1.5);
});
