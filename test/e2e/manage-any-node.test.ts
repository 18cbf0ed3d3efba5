import { beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, type Reply, send, versionOf } from './http.ts';

const cluster = useCluster();
const client = '192.0.2.7';

beforeAll(async () => {
  await cluster.form(3);
  await cluster.manage(1, 'PUT', '/v1/data', {
    nodes: { 1: { ip: client, key: 'secret' }, 2: {} },
    zone: 'a',
  });
  await cluster.manage(2, 'PUT', '/v1/mapping', { [client]: { node: '/nodes/1' } });
  await cluster.manage(3, 'PUT', '/v1/rule', {
    [client]: [
      { path: '/nodes', mode: 1 },
      { path: '/nodes/*/key', mode: 0 },
    ],
  });
  await cluster.manage(1, 'PUT', '/v1/data/zone', 'b');
});

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

function ask(id: number, path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Reply> {
  return send({
    port: cluster.node(id).ports.manage,
    path,
    method,
    headers: { Accept: 'application/json', ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

test.each([
  '/v1/data?limit=2',
  '/v1/data?version=1',
  '/v1/mapping?version=1&pretty=1',
  '/v1/history',
  '/v1/history/zone?limit=1',
  '/v1/history?tree=rule',
  '/v1/diff?from=1',
  '/v1/diff?from=0&to=1&path=/nodes',
  `/v1/explain?ip=${client}&path=/self`,
  `/v1/preview/self?ip=${client}`,
  '/v1/data?version=999999&consistency=x',
])('%s is the same on every node', async (path) => {
  const replies = await Promise.all(cluster.ids.map((id) => ask(id, path)));
  const [first] = replies;
  for (const reply of replies) {
    expect([reply.status, reply.text, reply.headers.etag, versionOf(reply)]).toEqual([
      first?.status,
      first?.text,
      first?.headers.etag,
      first === undefined ? null : versionOf(first),
    ]);
  }
});

test('the history says by which address, and a rule of the explanation decides what the client is shown', async () => {
  const history = json(await ask(2, '/v1/history/zone')) as { changes: { author: string; time: string }[] };
  expect(history.changes).toMatchObject([
    { author: '127.0.0.1', changed: [{ kind: 'data', path: '/zone', before: 'a', after: 'b' }] },
    { author: '127.0.0.1', changed: [{ before: null, after: 'a' }] },
  ]);
  const explained = json(await ask(3, `/v1/explain?ip=${client}&path=/self/node`));
  expect(explained).toMatchObject({
    branches: [
      {
        leaves: [
          { path: '/self/node/ip', visible: true, rule: { path: '/nodes', index: 0 } },
          { path: '/self/node/key', visible: false, rule: { path: '/nodes/*/key', index: 1 } },
        ],
      },
    ],
  });
  const shown = await cluster.metadata(1, '/self/node', client);
  const preview = await ask(2, `/v1/preview/self/node?ip=${client}`);
  expect([preview.status, preview.text]).toEqual([shown.status, shown.text]);
});

describe('a tag', () => {
  test('of one node is known to the others, and guards a write on any of them', async () => {
    const read = await ask(1, '/v1/data/nodes');
    const tag = String(read.headers.etag);
    expect(tag).toBe(`"${versionOf(read)}.json"`);
    for (const id of cluster.ids) {
      const again = await ask(id, '/v1/data/nodes', { headers: { 'If-None-Match': tag } });
      expect([again.status, again.text]).toEqual([304, '']);
    }
    const written = await ask(2, '/v1/data/nodes/2', {
      method: 'PUT',
      body: 'up',
      headers: { 'If-Match': tag },
    });
    // Nothing was there.
    expect(written.status).toBe(412);
    const guarded = await ask(2, '/v1/data/nodes', {
      method: 'PUT',
      body: { 2: 'up' },
      headers: { 'If-Match': tag },
    });
    expect(guarded.status).toBe(200);
    const late = await ask(3, '/v1/data/nodes', { method: 'DELETE', headers: { 'If-Match': tag } });
    expect([late.status, versionOf(late)]).toEqual([412, versionOf(guarded)]);
    expect((await ask(1, '/v1/data/nodes', { headers: { 'If-None-Match': tag } })).status).toBe(200);
  });

  test('lets one of many writers through, whichever nodes they ask', async () => {
    await ask(1, '/v1/data/counter', { method: 'PUT', body: 0 });
    const increment = async (id: number): Promise<number> => {
      for (let tries = 1; ; tries += 1) {
        const read = await ask(id, '/v1/data/counter');
        const headers = { 'If-Match': String(read.headers.etag) };
        const body = Number(json(read)) + 1;
        const { status } = await ask(id, '/v1/data/counter', { method: 'PUT', body, headers });
        if (status === 200) return tries;
        expect(status).toBe(412);
      }
    };
    const count = 30;
    await Promise.all(Array.from({ length: count }, (_, i) => increment((i % 3) + 1)));
    expect(json(await ask(2, '/v1/data/counter'))).toBe(String(count));
  });
});

test('a batch on any node is one version on all of them', async () => {
  const before = versionOf(await ask(1, '/v1/data'));
  for (const id of cluster.ids) {
    const body = {
      if: [{ path: `/batch/${id}`, absent: true }],
      do: [
        { put: `/v1/data/batch/${id}`, value: { x: 1, y: 2 } },
        { put: `/v1/mapping/198.51.100.${id}`, value: { me: `/batch/${id}` } },
      ],
    };
    const done = await ask(id, '/v1/batch', { method: 'POST', body });
    expect([done.status, versionOf(done)]).toEqual([200, before + id]);
    const again = await ask(id, '/v1/batch', { method: 'POST', body });
    expect([again.status, versionOf(again)]).toEqual([412, before + id]);
  }
  for (const id of cluster.ids) {
    const minVersion = { 'X-Metad-Version': String(before + 3) };
    const shown = await cluster.metadata(id, '/self/me', '198.51.100.2', minVersion);
    expect(json(shown)).toEqual({ x: '1', y: '2' });
  }
});
