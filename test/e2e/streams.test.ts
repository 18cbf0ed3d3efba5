import { afterEach, beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { EventStreamClient } from './event-stream.ts';
import { send, versionOf } from './http.ts';
import { waitUntil } from './wait-until.ts';

const cluster = useCluster();
const client = '192.0.2.7';
const MAX_PER_ADDRESS = 25;
const FLAGS = ['--max_waiters_per_address', String(MAX_PER_ADDRESS), '--catch_up_wait', '10m'];
const opened: EventStreamClient[] = [];

beforeAll(async () => {
  await cluster.form(3, ...FLAGS);
  await cluster.manage(1, 'PUT', '/v1/data', { seen: 'first', hidden: 'x' });
  await cluster.manage(1, 'PUT', '/v1/rule', { [client]: [{ path: '/seen', mode: 1 }] });
  await cluster.converged();
});

afterEach(() => {
  for (const stream of opened.splice(0)) stream.close();
});

async function follow(node: number, lastId: number | null = null, path = '/'): Promise<EventStreamClient> {
  const stream = await EventStreamClient.open(cluster, { node, path, client, lastId });
  opened.push(stream);
  return stream;
}

async function put(node: number, seen: string): Promise<number> {
  const reply = await cluster.manage(node, 'PUT', '/v1/data/seen', seen);
  expect(reply.status, reply.text).toBe(200);
  return versionOf(reply);
}

test('every node sends the same states under the same ids, and nothing of what is hidden', async () => {
  const streams = await Promise.all(cluster.ids.map((id) => follow(id)));
  for (const stream of streams) await stream.shows({ seen: 'first' });
  const versions: number[] = [];
  for (const id of cluster.ids) {
    await cluster.manage(id, 'PUT', '/v1/data/hidden', `by ${id}`);
    versions.push(await put(id, `by ${id}`));
    for (const stream of streams) await stream.shows({ seen: `by ${id}` });
  }
  for (const { events } of streams) {
    expect(events.slice(1)).toEqual(
      versions.map((id, i) => ({ event: 'state', id, data: { seen: `by ${cluster.ids[i]}` } })),
    );
  }
});

test('a client whose node is killed goes on at another one, without a loss and without a repetition', async () => {
  const [victim = 0, other = 0, writer = 0] = cluster.ids;
  const stream = await follow(victim);
  await put(writer, 'before');
  await stream.shows({ seen: 'before' });
  await cluster.kill9(victim);
  await waitUntil(() => stream.ended, 'the end of the stream');
  const quiet = await follow(other, stream.lastId);
  await waitUntil(() => put(writer, 'after'), 'a write without the node');
  await quiet.shows({ seen: 'after' });
  expect(quiet.events).toHaveLength(1);
  const late = await follow(writer, stream.lastId);
  await late.shows({ seen: 'after' });
  await cluster.start(victim, ...FLAGS);
  const back = await follow(victim, late.lastId);
  await put(other, 'last');
  await back.shows({ seen: 'last' });
  expect(back.events).toHaveLength(1);
});

test('a client that reads slowly is sent the newest state and no backlog', async () => {
  const stream = await follow(1);
  await waitUntil(() => stream.events.length === 1, 'the first state');
  stream.pause();
  const WRITES = 60;
  for (let i = 0; i < WRITES; i += 1) await put(2, `${i}${'.'.repeat(512 * 1024)}`);
  await put(2, 'small again');
  stream.resume();
  await stream.shows({ seen: 'small again' });
  expect(stream.events.length).toBeLessThan(WRITES);
});

test('one address holds so many and no more; what its clients leave is free again', async () => {
  for (let round = 0; round < 2; round += 1) {
    const streams: EventStreamClient[] = [];
    await waitUntil(async () => {
      while (streams.length < MAX_PER_ADDRESS) streams.push(await follow(1));
      return true;
    }, 'room for all of them');
    await expect(follow(1)).rejects.toThrow('429 1');
    const another = cluster.metadata(1, '/?wait=true&timeout=0', '192.0.2.8');
    expect((await another).status).toBe(404);
    for (const stream of streams) stream.close();
  }
});

test('max_lag is refused by a node that is cut off, which answers other reads', async () => {
  const [alone = 0, ...others] = cluster.ids;
  const fresh = () => cluster.metadata(alone, '/seen?max_lag=0.2', client);
  expect((await fresh()).status).toBe(200);
  for (const id of others) cluster.pause(id);
  try {
    const refused = await waitUntil(async () => {
      const reply = await fresh();
      return reply.status === 200 ? null : reply;
    }, 'a refusal');
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    expect((await cluster.metadata(alone, '/seen', client)).status).toBe(200);
    expect((await cluster.metadata(alone, '/seen?max_lag=86400', client)).status).toBe(200);
  } finally {
    for (const id of others) cluster.resume(id);
  }
  await waitUntil(async () => (await fresh()).status === 200, 'fresh reads again');
});

test('SIGTERM ends streams with a word, and answers all who wait for a version', async () => {
  await waitUntil(() => put(1, 'before the end'), 'a write');
  await cluster.converged();
  const leader = await cluster.leader();
  const stream = await follow(leader);
  await stream.shows({ seen: 'before the end' });
  const { metadata: port, manage } = cluster.node(leader).ports;
  const future = 1_000_000_000;
  const headers = { 'X-Forwarded-For': client };
  const waiting = [
    { port, path: '/seen?wait=true', headers },
    { port, path: '/seen?wait=true&jitter=60', headers },
    { port, path: `/seen?wait=true&prev_version=${future}`, headers },
    { port, path: `/seen?min_version=${future}`, headers },
    { port, path: '/seen', headers: { ...headers, 'X-Metad-Version': String(future) } },
    { port, path: '/seen', headers: { ...headers, 'If-None-Match': `"${future}"` } },
    {
      port,
      path: '/seen',
      headers: { ...headers, Accept: 'text/event-stream', 'Last-Event-ID': String(future) },
    },
    { port: manage, path: `/v1/data?consistency=local&min_version=${future}` },
  ].map((request) => send({ ...request, timeoutMs: 60_000 }));
  await waitUntil(async () => {
    const { text } = await send({ port: manage, path: '/metrics' });
    return text.includes(`metad_waiters ${waiting.length + 1}\n`);
  }, 'all of them held');
  const exited = cluster.stop(leader);
  for (const { status, headers } of await Promise.all(waiting)) {
    expect([status, headers['retry-after']]).toEqual([503, '1']);
  }
  await waitUntil(() => stream.ended, 'the end of the stream');
  expect([stream.ended, stream.events.at(-1)]).toEqual([
    'complete',
    { event: 'stopping', id: null, data: null },
  ]);
  expect(await exited).toEqual({ code: 0, signal: null });
});
