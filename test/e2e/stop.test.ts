import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { waitUntil } from './wait-until.ts';
import { findLoss, type Write, WriteStream } from './write-stream.ts';

const cluster = useCluster();
const client = '192.0.2.7';
const WAITERS = 40;
const writes: Write[] = [];

beforeAll(async () => {
  await cluster.form(3);
  await cluster.manage(1, 'PUT', '/v1/data', { waited: 'for' });
  await cluster.manage(1, 'PUT', '/v1/rule', { [client]: [{ path: '/', mode: 1 }] });
  await cluster.converged();
});

test('SIGTERM releases the waiters, hands the leadership over and ends with code 0', async () => {
  const leader = await cluster.leader();
  const others = cluster.ids.filter((id) => id !== leader);
  const { current_term: term } = (await cluster.metrics(leader)).Ok;
  const waiters = Array.from({ length: WAITERS }, () =>
    cluster.metadata(leader, '/waited?wait=true', client),
  );
  const stream = new WriteStream(cluster, 'while-stopping');
  await waitUntil(() => stream.acknowledged.length > 100, 'a hundred acknowledged writes');

  const exited = cluster.stop(leader);
  const stoppedAt = performance.now();
  for (const answer of await Promise.all(waiters)) {
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
  }
  const next = await waitUntil(async () => {
    const { Ok } = await cluster.metrics(await cluster.leader(others));
    return Ok.current_term > term ? Ok : null;
  }, 'another leader');
  const handedOverAt = performance.now();
  expect(others).toContain(next.id);
  expect(next.current_term, 'handed over, not fought for: one election').toBe(term + 1);
  expect(await exited).toEqual({ code: 0, signal: null });
  const exitedAt = performance.now();

  const sofar = stream.acknowledged.length;
  await waitUntil(() => stream.acknowledged.length > sofar + 100, 'a hundred more acknowledged writes');
  await stream.stop();
  writes.push(...stream.writes);
  console.info(
    `orderly stop: another led after ${Math.round(handedOverAt - stoppedAt)} ms, the process ended after ` +
      `${Math.round(exitedAt - stoppedAt)} ms; ${stream.refused.length} of ${stream.writes.length} writes refused, ` +
      `${stream.writes.length - stream.refused.length - stream.acknowledged.length} unknown`,
  );
  await cluster.start(leader);
});

test('all nodes stop at once under requests, and open again with the same data and version', async () => {
  const stream = new WriteStream(cluster, 'all-stopping');
  await waitUntil(() => stream.acknowledged.length > 50, 'fifty acknowledged writes');
  const exits = await Promise.all(cluster.ids.map((id) => cluster.stop(id)));
  await stream.stop();
  writes.push(...stream.writes);
  expect(exits).toEqual(cluster.ids.map(() => ({ code: 0, signal: null })));

  for (const id of cluster.ids) cluster.launch(id);
  for (const id of cluster.ids) await cluster.ready(id);
  await cluster.converged();
  for (const id of cluster.ids) expect(findLoss(writes, await cluster.readAll(id)), `node ${id}`).toEqual([]);
  const versions = await Promise.all(cluster.ids.map((id) => cluster.version(id)));
  expect(new Set(versions).size, `versions ${versions}`).toBe(1);
});

test('SIGINT stops a node in order as well', async () => {
  const version = await cluster.version(1);
  expect(await cluster.process(1).end('SIGINT')).toEqual({ code: 0, signal: null });
  await cluster.start(1);
  expect(await cluster.version(1)).toBe(version);
});
