import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JSON_TYPE, TestNode, versionOf } from './test-node.ts';

type Headers = Record<string, string>;

const get = (node: TestNode, path: string, headers: Headers = {}) =>
  node.manage('GET', path, undefined, { headers: { ...JSON_TYPE, ...headers } });

/** A node that has data, a mapping and a rule, at version 3. */
async function filled(): Promise<TestNode> {
  const node = new TestNode();
  await node.write('PUT', '/v1/data', { a: { x: '1', y: '2' }, b: '3' });
  await node.write('PUT', '/v1/mapping', { '10.1.0.1': { node: '/a' }, '10.1.0.2': { node: '/b' } });
  await node.write('PUT', '/v1/rule', { '10.1.0.1': [{ path: '/a', mode: 1 }] });
  return node;
}

describe('tags', () => {
  test.each(['/v1/data/a', '/v1/data', '/v1/mapping', '/v1/mapping/10.1.0.1/node', '/v1/rule'])(
    '%s: the same answer is not sent twice',
    async (path) => {
      const node = await filled();
      const first = await get(node, path);
      expect(first.headers.get('etag')).toBe('"3.json"');
      expect(first.headers.get('vary')).toBe('Accept');
      for (const known of ['"3.json"', 'W/"3.json"', '"3"', '"1.text", "3.json"', '*']) {
        const again = await get(node, path, { 'If-None-Match': known });
        expect([again.status, await again.text(), versionOf(again)]).toEqual([304, '', 3]);
        expect(again.headers.get('etag')).toBe('"3.json"');
        expect(again.headers.get('content-type')).toBe(null);
      }
      for (const other of ['"3.text"', '"3.yaml"', '"x"', '"9.json"', 'garbage', '']) {
        const again = await get(node, path, { 'If-None-Match': other });
        expect([other, again.status]).toEqual([other, 200]);
      }
    },
  );

  test.each<[string, string, string, unknown]>([
    ['/v1/data/a', '/v1/data/b', '/v1/data/a/x', 'new'],
    ['/v1/mapping/10.1.0.1', '/v1/mapping/10.1.0.2', '/v1/mapping/10.1.0.1', { node: '/c' }],
  ])('%s holds until something of it changes', async (path, elsewhere, within, value) => {
    const node = await filled();
    const known = { 'If-None-Match': '"3.json"' };
    await node.write('PUT', elsewhere, elsewhere.includes('mapping') ? { other: '/x' } : 'other');
    await node.write('PUT', '/v1/rule', { '10.1.0.7': [] });
    const unchanged = await get(node, path, known);
    expect([unchanged.status, unchanged.headers.get('etag')]).toEqual([304, '"5.json"']);
    await node.write('PUT', within, value);
    const changed = await get(node, path, known);
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"6.json"']);
  });

  test('rules hold until those of a host that is asked for change', async () => {
    const node = await filled();
    const known = { 'If-None-Match': '"3.json"' };
    await node.write('PUT', '/v1/data/b', '4');
    expect((await get(node, '/v1/rule', known)).status).toBe(304);
    await node.write('PUT', '/v1/rule', { '10.1.0.2': [] });
    expect((await get(node, '/v1/rule?hosts=10.1.0.1', known)).status).toBe(304);
    expect((await get(node, '/v1/rule', known)).status).toBe(200);
  });

  test('where it is not known what changed, the answer is sent', async () => {
    const node = await filled();
    node.replica.holdBack();
    await node.write('PUT', '/v1/data/b', '4');
    expect((await get(node, '/v1/data/a', { 'If-None-Match': '"3.json"' })).status).toBe(200);
    node.replica.deliverHeldBack();
    expect((await get(node, '/v1/data/a', { 'If-None-Match': '"3.json"' })).status).toBe(304);
  });

  test('a node that is behind catches up with what the client has seen elsewhere', async () => {
    const node = await filled();
    const asked = get(node, '/v1/data/a?consistency=local', { 'If-None-Match': '"4.json"' });
    await new Promise((resolve) => setImmediate(resolve));
    await node.write('PUT', '/v1/data/a/x', 'new');
    expect((await asked).status).toBe(304);
    const never = get(node, '/v1/data/a?consistency=local', { 'If-None-Match': '"9.json"' });
    await new Promise((resolve) => setImmediate(resolve));
    node.clock.advance(60_000);
    expect((await never).status).toBe(200);
  });

  test('what is gone is not unchanged', async () => {
    const node = await filled();
    await node.write('DELETE', '/v1/data/a');
    const gone = await get(node, '/v1/data/a', { 'If-None-Match': '*' });
    expect([gone.status, gone.headers.get('etag')]).toEqual([404, null]);
  });
});

test('HEAD is GET without its body, on every resource', async () => {
  const node = await filled();
  for (const path of [
    '/v1/data/a',
    '/v1/data/none',
    '/v1/data?limit=1',
    '/v1/data?version=1',
    '/v1/mapping',
    '/v1/rule',
    '/v1/history',
    '/v1/diff?from=1',
    '/v1/explain?ip=10.1.0.1&path=/self',
    '/v1/preview/self?ip=10.1.0.1',
    '/health',
    '/ready',
  ]) {
    const full = await get(node, path);
    const body = await full.text();
    const head = await node.manage('HEAD', path, undefined, { headers: JSON_TYPE });
    expect([path, head.status, await head.text()]).toEqual([path, full.status, '']);
    for (const name of ['content-type', 'content-length', 'etag', 'x-metad-version']) {
      expect([path, name, head.headers.get(name)]).toEqual([path, name, full.headers.get(name)]);
    }
    expect(Number(head.headers.get('content-length'))).toBe(Buffer.byteLength(body));
  }
});

interface Page {
  readonly leaves: Record<string, string>;
  readonly cursor: string | null;
}

async function pages(node: TestNode, path: string, limit: number): Promise<Page[]> {
  const read: Page[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const response = await get(node, `${path}?limit=${limit}&cursor=${cursor}`);
    expect(response.status).toBe(200);
    const page = (await response.json()) as Page;
    read.push(page);
    cursor = page.cursor;
  }
  return read;
}

describe('pages', () => {
  test('all leaves, once, in order, whatever their number', async () => {
    const names = fc.constantFrom('a', 'a-b', 'a0', 'é', '🔑', '1', '10');
    const leaf = fc.array(names, { minLength: 1, maxLength: 3 }).map((path) => path.join('/'));
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(leaf, { maxLength: 20 }),
        fc.integer({ min: 1, max: 7 }),
        async (leaves, limit) => {
          const node = new TestNode();
          await node.write('PUT', '/v1/data', Object.fromEntries(leaves.map((path, i) => [path, String(i)])));
          const expected = node.replica.state.read((view) => view.leaves('data', '/'));
          const read = await pages(node, '/v1/data', limit);
          expect(read.flatMap((page) => Object.entries(page.leaves))).toEqual(expected);
          for (const page of read.slice(0, -1)) expect(Object.keys(page.leaves)).toHaveLength(limit);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('of a subtree, of a leaf, of a mapping, of nothing', async () => {
    const node = await filled();
    expect(await pages(node, '/v1/data/a', 1)).toEqual([
      { leaves: { '/a/x': '1' }, cursor: expect.any(String) },
      { leaves: { '/a/y': '2' }, cursor: null },
    ]);
    expect(await pages(node, '/v1/data/b', 5)).toEqual([{ leaves: { '/b': '3' }, cursor: null }]);
    expect(await pages(node, '/v1/mapping/::ffff:10.1.0.2', 5)).toEqual([
      { leaves: { '/10.1.0.2/node': '/b' }, cursor: null },
    ]);
    expect((await get(node, '/v1/data/none?limit=1')).status).toBe(404);
    await node.write('DELETE', '/v1/data');
    expect(await pages(node, '/v1/data', 1)).toEqual([{ leaves: {}, cursor: null }]);
  });

  test('go on where they were, whatever changed before', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data', { a: '1', b: '2', c: '3', d: '4' });
    const first = await get(node, '/v1/data?limit=2');
    const { cursor } = (await first.json()) as Page;
    expect(versionOf(first)).toBe(1);
    await node.write('POST', '/v1/data', { a: '1', a2: '1', c: 'new' });
    const second = await get(node, `/v1/data?limit=2&cursor=${cursor}`);
    expect(await second.json()).toEqual({ leaves: { '/c': 'new' }, cursor: null });
    expect(versionOf(second)).toBe(2);
  });

  test('are bounded in bytes as well', async () => {
    const node = new TestNode();
    const value = 'x'.repeat(1024 * 1024);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await node.write('PUT', `/v1/data/${name}`, value);
    const read = await pages(node, '/v1/data', 100);
    expect(read.map((page) => Object.keys(page.leaves).length)).toEqual([4, 2]);
  });

  test.each([
    'limit=0',
    'limit=-1',
    'limit=x',
    'cursor=x',
    'cursor=L2I', // /b
    `cursor=${Buffer.from('/a/').toString('base64url')}`,
    'version=x',
    'version=1&limit=1',
    'version=99999999999999999',
  ])('%s is refused', async (query) => {
    const node = await filled();
    expect((await get(node, `/v1/data/a?${query}`)).status).toBe(400);
  });

  test('have tags of their own', async () => {
    const node = await filled();
    const text = { accept: 'text/plain' };
    const page = await get(node, '/v1/data?limit=1', text);
    expect([page.headers.get('etag'), page.headers.get('content-type')]).toEqual([
      '"3.json"',
      'application/json',
    ]);
    const again = await get(node, '/v1/data?limit=1', { ...text, 'If-None-Match': '"3.json"' });
    expect(again.status).toBe(304);
  });
});

test('a tree that is too large for one answer is read in pages', async () => {
  const node = new TestNode({ maxLeaves: 5 });
  await node.write('PUT', '/v1/data/a', { 1: '', 2: '', 3: '', 4: '', 5: '' });
  await node.write('PUT', '/v1/data/b', '1');
  expect((await get(node, '/v1/data/a')).status).toBe(200);
  const refused = await get(node, '/v1/data');
  expect(refused.status).toBe(413);
  expect(await refused.json()).toMatchObject({ message: expect.stringContaining('limit=') });
  const past = await get(node, '/v1/data?version=1');
  expect([past.status, await past.json()]).toMatchObject([
    413,
    { message: expect.stringContaining('ask for a path') },
  ]);
  expect((await pages(node, '/v1/data', 4)).map((page) => Object.keys(page.leaves).length)).toEqual([4, 2]);
});

test('a page is as new as is asked for', async () => {
  const node = await filled();
  node.replica.barrier = { type: 'unavailable', message: 'no quorum' };
  for (const path of ['/v1/data?limit=1', '/v1/history', '/v1/diff?from=0', '/v1/data?version=1']) {
    expect((await get(node, path)).status).toBe(503);
    const local = await get(node, `${path}${path.includes('?') ? '&' : '?'}consistency=local`);
    expect(local.status).toBe(200);
  }
});
