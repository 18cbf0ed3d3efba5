import { describe, expect, test } from 'vitest';
import { JSON_TYPE, TestNode, versionOf } from './test-node.ts';

type Headers = Record<string, string>;

async function send(
  node: TestNode,
  method: string,
  path: string,
  body: unknown,
  headers: Headers = {},
): Promise<[status: number, version: number, message: string | undefined]> {
  const response = await node.manage(method, path, body, { headers: { ...JSON_TYPE, ...headers } });
  const document = (await response.json()) as { message?: string };
  return [response.status, versionOf(response), document.message];
}

async function shown(node: TestNode, path: string): Promise<unknown> {
  return (await node.manage('GET', path, undefined, { headers: JSON_TYPE })).json();
}

async function tagOf(node: TestNode, path: string): Promise<string> {
  return (await node.manage('GET', path)).headers.get('etag') ?? '';
}

describe('conditions', () => {
  test.each(['/v1/data/a', '/v1/mapping/10.1.0.1'])('compare and set on %s', async (path) => {
    const node = new TestNode();
    const [first, second] = path.includes('mapping')
      ? [{ node: '/n/1' }, { node: '/n/2' }]
      : [{ x: '1' }, { x: '2' }];
    await node.write('PUT', path, first);
    const tag = await tagOf(node, path);
    expect(tag).toBe('"1.text"');
    const [status, version] = await send(node, 'PUT', path, second, { 'If-Match': tag });
    expect([status, version]).toEqual([200, 2]);
    expect(await send(node, 'PUT', path, first, { 'If-Match': tag })).toEqual([
      412,
      2,
      expect.stringContaining('was changed after version 1'),
    ]);
    expect(await shown(node, path)).toEqual(second);
    expect((await send(node, 'DELETE', path, undefined, { 'If-Match': `"1.json", W/"2"` }))[0]).toBe(200);
  });

  test('a version that is yet to come fails it', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data', { a: { b: '1' } });
    const refused = [412, 1, 'there is no version 2 yet: this is version 1'];
    for (const path of ['/v1/data', '/v1/data/a', '/v1/data/a/b']) {
      expect(await send(node, 'PUT', path, { x: '1' }, { 'If-Match': '"2.json"' })).toEqual(refused);
    }
    const condition = { path: '/a', version: 2 };
    const batch = { if: [condition], do: [{ delete: '/v1/data/a' }] };
    expect((await send(node, 'POST', '/v1/batch', batch))[2]).toBe(`if[0]: ${refused[2]}`);
    expect(await shown(node, '/v1/data')).toEqual({ a: { b: '1' } });
  });

  test('a change elsewhere does not fail it', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data', { a: '1', b: '1' });
    const tag = await tagOf(node, '/v1/data/a');
    await node.write('PUT', '/v1/data/b', '2');
    expect((await send(node, 'PUT', '/v1/data/a', '2', { 'If-Match': tag }))[0]).toBe(200);
    expect((await send(node, 'PUT', '/v1/data/b', '3', { 'If-Match': tag }))[0]).toBe(412);
  });

  test('only what is missing is made, only what is there is changed', async () => {
    const node = new TestNode();
    expect((await send(node, 'PUT', '/v1/data/a', '0', { 'If-Match': '*' }))[0]).toBe(412);
    expect((await send(node, 'PUT', '/v1/data/a/b', '1', { 'If-None-Match': '*' }))[0]).toBe(200);
    for (const path of ['/v1/data/a', '/v1/data/a/b', '/v1/data']) {
      expect(await send(node, 'DELETE', path, undefined, { 'If-None-Match': '*' })).toEqual([
        412,
        1,
        expect.stringMatching(/ is there$/),
      ]);
    }
    expect((await send(node, 'POST', '/v1/data/a', '2', { 'If-Match': '*' }))[0]).toBe(200);
    expect(await shown(node, '/v1/data')).toEqual({ a: '2' });
  });

  test.each<[string, string, Headers]>([
    ['PUT', '/v1/data/a', { 'If-Match': '3' }],
    ['PUT', '/v1/data/a', { 'If-Match': '' }],
    ['PUT', '/v1/data/a', { 'If-Match': '"abc"' }],
    ['DELETE', '/v1/data/a', { 'If-Match': '"1' }],
    ['PUT', '/v1/data/a', { 'If-None-Match': '"1.json"' }],
    ['DELETE', '/v1/mapping/nowhere', { 'If-Match': '*' }],
    ['DELETE', '/v1/rule?hosts=10.1.0.1', { 'If-Match': '*' }],
    ['PUT', '/v1/rule', { 'If-None-Match': '*' }],
    ['PUT', '/v1/data/a', { 'Idempotency-Key': '' }],
    ['PUT', '/v1/data/a', { 'Idempotency-Key': 'a b' }],
    ['PUT', '/v1/data/a', { 'Idempotency-Key': 'x'.repeat(256) }],
    ['PUT', '/v1/data/a', { 'X-Metad-Author': '' }],
    ['PUT', '/v1/data/a', { 'X-Metad-Author': 'x'.repeat(129) }],
    ['PUT', '/v1/data/a', { 'X-Metad-Author': 'gr\u00f6\u00dfe' }],
  ])('%s %s with %j is refused', async (method, path, headers) => {
    const node = new TestNode();
    expect((await send(node, method, path, method === 'PUT' ? '1' : undefined, headers))[0]).toBe(400);
    expect(node.replica.writes).toEqual([]);
  });
});

describe('idempotency keys', () => {
  test('a repeated write is done once and answered as it was the first time', async () => {
    const node = new TestNode();
    const headers = { 'Idempotency-Key': 'put-a-1' };
    const first = await node.manage('PUT', '/v1/data/a', '1', { headers });
    expect([first.status, versionOf(first), first.headers.get('idempotency-replayed')]).toEqual([
      200,
      1,
      null,
    ]);
    await node.write('PUT', '/v1/data/a', '2');
    const again = await node.manage('PUT', '/v1/data/a', '1', { headers });
    expect([again.status, versionOf(again), await again.text()]).toEqual([200, 1, await first.text()]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await shown(node, '/v1/data/a')).toBe('2');
  });

  test('is for one request only', async () => {
    const node = new TestNode();
    const headers = { 'Idempotency-Key': 'k' };
    await send(node, 'PUT', '/v1/data/a', '1', headers);
    expect(await send(node, 'PUT', '/v1/data/a', '2', headers)).toEqual([
      422,
      1,
      expect.stringContaining('Idempotency-Key'),
    ]);
    expect((await send(node, 'DELETE', '/v1/rule?hosts=10.1.0.1', undefined, headers))[0]).toBe(422);
  });

  test('a condition that held the first time is not asked again', async () => {
    const node = new TestNode();
    const headers = { 'Idempotency-Key': 'make-a', 'If-None-Match': '*' };
    expect((await send(node, 'PUT', '/v1/data/a', '1', headers))[0]).toBe(200);
    expect((await send(node, 'PUT', '/v1/data/a', '1', headers))[0]).toBe(200);
    expect((await send(node, 'PUT', '/v1/data/a', '1', { 'If-None-Match': '*' }))[0]).toBe(412);
  });

  test('what failed is tried anew', async () => {
    const node = new TestNode();
    const headers = { 'Idempotency-Key': 'k', 'If-Match': '*' };
    expect((await send(node, 'PUT', '/v1/data/a', '1', headers))[0]).toBe(412);
    await node.write('PUT', '/v1/data/a', '0');
    expect((await send(node, 'PUT', '/v1/data/a', '1', headers))[0]).toBe(200);
  });
});

test('who writes goes with the write', async () => {
  const node = new TestNode();
  await send(node, 'PUT', '/v1/data/a', '1');
  await send(node, 'PUT', '/v1/rule', {}, { 'X-Metad-Author': 'deploy bot' });
  expect(node.replica.writes.map(({ author }) => author)).toEqual(['127.0.0.1', 'deploy bot (127.0.0.1)']);
});

describe('batch', () => {
  const batch = (node: TestNode, body: unknown, headers?: Headers) =>
    send(node, 'POST', '/v1/batch', body, headers);

  test('data, mappings and rules in one version', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data', { old: '1', list: { a: '1', b: '2', c: '3' } });
    expect(
      await batch(node, {
        if: [
          { path: '/old', version: 1 },
          { path: '/old', equals: '1' },
          { path: '/nodes', absent: true },
          { path: '/list/', present: true },
          { path: '/10.1.0.1', tree: 'mapping', absent: true },
        ],
        do: [
          { put: '/v1/data/nodes/1', value: { ip: '10.1.0.1', up: true } },
          { post: '/v1/data/old/', value: 7 },
          { delete: '/v1/data/list', subs: ['a', 'b'] },
          { put: '/v1/mapping/10.1.0.1', value: { node: '/nodes/1' } },
          { put: '/v1/rule', value: { '10.1.0.1': [{ path: '/nodes', mode: 1 }] } },
          { put: '/v1/data/with%20blank', value: null },
          { delete: '/v1/rule', hosts: ['10.1.0.9'] },
        ],
      }),
    ).toEqual([200, 2, undefined]);
    expect(await shown(node, '/v1/data')).toEqual({
      nodes: { 1: { ip: '10.1.0.1', up: 'true' } },
      old: '7',
      list: { c: '3' },
      'with blank': '',
    });
    expect(await node.json('/self/node', '10.1.0.1')).toEqual({ ip: '10.1.0.1', up: 'true' });
    expect(node.replica.writes).toHaveLength(2);
  });

  test('a condition that fails is named, and nothing is done', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data/a', '1');
    const body = {
      if: [
        { path: '/a', present: true },
        { path: '/a', equals: '2' },
      ],
      do: [{ put: '/v1/data/b', value: '1' }],
    };
    expect(await batch(node, body)).toEqual([412, 1, 'if[1]: /a has another value']);
    expect(await shown(node, '/v1/data')).toEqual({ a: '1' });
  });

  test('with a key is done once', async () => {
    const node = new TestNode();
    const headers = { 'Idempotency-Key': 'b' };
    const body = { do: [{ put: '/v1/data/a', value: '1' }] };
    expect(await batch(node, body, headers)).toEqual([200, 1, undefined]);
    await node.write('PUT', '/v1/data/a', '2');
    expect(await batch(node, body, headers)).toEqual([200, 1, undefined]);
    expect(await shown(node, '/v1/data/a')).toBe('2');
  });

  const write = { put: '/v1/data/a', value: '1' };
  test.each<[unknown, RegExp]>([
    [[], /the batch/],
    ['x', /the batch/],
    [{}, /"do"/],
    [{ do: [] }, /"do"/],
    [{ do: [write], more: 1 }, /more/],
    [{ do: Array.from({ length: 1001 }, () => write) }, /"do"/],
    [{ do: [write, 7] }, /do\[1\]/],
    [{ do: [write, { ...write, post: '/v1/data/b' }] }, /do\[1\].*exactly one/],
    [{ do: [{ put: '/v1/data/a' }] }, /do\[0\].*value/],
    [{ do: [{ delete: '/v1/data/a', value: 1 }] }, /do\[0\].*value/],
    [{ do: [{ ...write, typo: 1 }] }, /do\[0\].*typo/],
    [{ do: [write, { put: '/v1/data', value: 'x' }] }, /do\[1\].*root/],
    [{ do: [{ put: '/v1/health', value: 'x' }] }, /do\[0\].*\/v1\/health/],
    [{ do: [{ put: '/v1/data/%zz', value: 'x' }] }, /do\[0\].*percent/],
    [{ do: [{ put: '/v1/data/a?x=1', value: 'x' }] }, /do\[0\].*query/],
    [{ do: [{ put: '/v1/mapping/nobody', value: {} }] }, /do\[0\].*ip address/],
    [{ do: [{ put: '/v1/rule', value: { '10.1.0.1': [{ path: '/', mode: 7 }] } }] }, /do\[0\].*mode/],
    [{ do: [{ delete: '/v1/data/a', subs: ['b/c'] }] }, /do\[0\].*subs/],
    [{ do: [{ ...write, subs: ['b'] }] }, /do\[0\].*subs/],
    [{ do: [{ ...write, hosts: ['b'] }] }, /do\[0\].*hosts/],
    [{ if: [{ path: '/a' }], do: [write] }, /if\[0\].*exactly one/],
    [{ if: [{ path: '/a', version: 0 }], do: [write] }, /if\[0\] version/],
    [{ if: [{ path: '/a', absent: false }], do: [write] }, /if\[0\] absent/],
    [{ if: [{ path: '/a', absent: true, tree: 'rule' }], do: [write] }, /if\[0\] tree/],
    [{ if: [{ path: '/x', absent: true, tree: 'mapping' }], do: [write] }, /if\[0\].*ip address/],
    [{ if: [{ path: '/a'.repeat(70), absent: true }], do: [write] }, /if\[0\].*deeper/],
  ])('%j is refused', async (body, message) => {
    const node = new TestNode();
    expect(await batch(node, body)).toEqual([400, 0, expect.stringMatching(message)]);
    expect(node.replica.writes).toEqual([]);
  });

  test('holds no more values than one write', async () => {
    const node = new TestNode({ maxLeaves: 3 });
    const item = (path: string) => ({ put: path, value: { x: '1', y: '2' } });
    expect(await batch(node, { do: [item('/v1/data/a'), item('/v1/data/b')] })).toEqual([
      413,
      0,
      expect.stringContaining('at most 3 values'),
    ]);
    expect((await batch(node, { do: [item('/v1/data/a'), { put: '/v1/data/b', value: '1' }] }))[0]).toBe(200);
  });

  test('takes nothing but POST, and no conditions in headers', async () => {
    const node = new TestNode();
    expect((await node.manage('GET', '/v1/batch')).status).toBe(405);
    expect((await node.manage('PUT', '/v1/batch', { do: [write] })).status).toBe(405);
    expect((await batch(node, { do: [write] }, { 'If-Match': '"1"' }))[0]).toBe(400);
  });
});
