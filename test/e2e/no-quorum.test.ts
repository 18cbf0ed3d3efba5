import { beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, versionOf } from './http.ts';
import { waitUntil } from './wait-until.ts';

// One of three nodes is no majority: it acknowledges nothing and promises nothing, and still lets a machine boot.

const cluster = useCluster();
const client = '192.0.2.7';

beforeAll(async () => {
  // Each answer below takes as long as the node may look for a majority.
  await cluster.form(3, '--leader_wait', '1s', '--propose_timeout', '2s');
  await cluster.manage(1, 'PUT', '/v1/data', { kept: 'as it is' });
  await cluster.manage(1, 'PUT', '/v1/rule', { [client]: [{ path: '/', mode: 1 }] });
  await cluster.converged();
});

test('a leader whose followers hang acknowledges no write, and what it said is true afterwards', async () => {
  const leader = await cluster.leader();
  const others = cluster.ids.filter((id) => id !== leader);
  for (const id of others) cluster.pause(id);
  const replies = await Promise.all([
    cluster.post(leader, '/write', { Put: { key: 'hung/kv', value: 'x' } }),
    cluster.manage(leader, 'PUT', '/v1/data/hung/manage', 'x'),
  ]).finally(() => {
    for (const id of others) cluster.resume(id);
  });
  // Appended, but on no majority: whether it will be committed is not known.
  for (const reply of replies) expect([503, 504], reply.text).toContain(reply.status);

  await waitUntil(
    () => cluster.write(leader, 'after', 'resumed').then(() => true),
    'a write after they go on',
  );
  const content = await cluster.readAll(leader);
  const keys = ['hung/kv', 'hung/manage'];
  for (const [index, { status }] of replies.entries()) {
    if (status === 503) expect(content.has(keys[index] ?? ''), 'refused for good').toBe(false);
  }
  for (const id of cluster.ids) expect(await cluster.readAll(id)).toEqual(content);
});

describe('a node that is left alone', () => {
  test('refuses writes and linearizable reads in bounded time, and serves local reads', async () => {
    const alone = await cluster.leader();
    await cluster.converged();
    const version = await cluster.version(alone);
    await cluster.kill9(...cluster.ids.filter((id) => id !== alone));
    await waitUntil(
      async () => (await cluster.metrics(alone)).Ok.state !== 'Leader',
      'the lonely leader to step down',
    );

    const [write, manage, read, ...reads] = await Promise.all([
      cluster.post(alone, '/write', { Put: { key: 'a', value: 'b' } }),
      cluster.manage(alone, 'PUT', '/v1/data/a', 'b'),
      cluster.post(alone, '/read', 'kept'),
      cluster.manage(alone, 'GET', '/v1/data'),
      cluster.metadata(alone, '/kept?consistency=linearizable', client),
      cluster.manage(alone, 'GET', '/ready'),
    ]);
    expect([write.status, write.text]).toEqual([503, '"Err"']);
    expect(write.headers['x-metad-error']).toMatch(/leader/i);
    expect([manage.status, json(manage)]).toMatchObject([503, { code: 503, type: 'ERROR' }]);
    for (const refused of [write, manage]) expect(refused.headers['retry-after']).toMatch(/^\d+$/);
    expect([read.status, json(read)]).toMatchObject([503, { err: { code: 503 } }]);
    expect(reads.map(({ status }) => status)).toEqual([503, 503, 503]);

    const local = await cluster.metadata(alone, '/kept', client);
    expect([local.status, json(local), versionOf(local)]).toEqual([200, 'as it is', version]);
    expect((await cluster.manage(alone, 'GET', '/health')).status).toBe(200);
  });

  test('goes on as soon as another node is back', async () => {
    const [alone = 0] = cluster.runningIds;
    const back = cluster.ids.find((id) => id !== alone) ?? 0;
    await cluster.start(back);
    await cluster.write(back, 'a', 'b');
    expect(await cluster.read(alone, 'a')).toBe('b');
  });
});
