import { randomBytes } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, type Reply, send } from './http.ts';
import { type Observation, observe } from './observe.ts';
import { sendRaw, sendRawAndEnd } from './raw-socket.ts';

// Whatever a client sends gets an error that names what is wrong. After each test every node still serves, in the same
// term, and the state is as before.

const cluster = useCluster();
const client = '192.0.2.7';
const MIB = 1024 * 1024;
let before: Observation;

beforeAll(async () => {
  await cluster.form(3);
  await cluster.manage(1, 'PUT', '/v1/data', { kept: 'as it is', tree: { leaf: 'value' } });
  await cluster.manage(1, 'PUT', '/v1/mapping', { [client]: { tree: '/tree' } });
  await cluster.manage(1, 'PUT', '/v1/rule', { [client]: [{ path: '/', mode: 1 }] });
  before = await observe(cluster);
});

afterEach(async () => {
  expect(cluster.runningIds).toEqual([1, 2, 3]);
  expect(await observe(cluster)).toEqual(before);
});

function sendText(port: number, method: string, path: string, body?: string): Promise<Reply> {
  return send({ port, method, path, body, headers: { Accept: 'application/json' } });
}

const put = (key: unknown, value: unknown): string => JSON.stringify({ Put: { key, value } });
const deepPath = Array.from({ length: 65 }, (_, depth) => `d${depth}`).join('/');
const longPath = 'n'.repeat(3000);

describe('the KV API', () => {
  const bad: readonly (readonly [what: string, body: string, status: number, reason: RegExp])[] = [
    ['cut JSON', '{"Put":{"key":"a"', 400, /JSON/i],
    ['an empty body', '', 400, /JSON/i],
    ['two documents', `${put('a', 'b')} ${put('c', 'd')}`, 400, /JSON/i],
    ['a list', '[]', 400, /./],
    ['an unknown verb', '{"Drop":{"key":"a"}}', 400, /./],
    ['both verbs at once', '{"Put":{"key":"a","value":"b"},"Del":{"key":"c"}}', 400, /./],
    ['no value', '{"Put":{"key":"a"}}', 400, /value/i],
    ['a number as key', put(1, 'a'), 400, /key/i],
    ['a number as value', put('a', 1), 400, /value/i],
    ['an object as value', put('a', {}), 400, /value/i],
    ['an empty key', put('', 'a'), 400, /key/i],
    ['the root as key', put('/', 'a'), 400, /key/i],
    ['an empty segment', put('a//b', 'a'), 400, /key/i],
    ['a trailing slash', put('a/', 'a'), 400, /key/i],
    ['a dot segment', put('a/./b', 'a'), 400, /key/i],
    ['a way up', put('../a', 'a'), 400, /key/i],
    ['half a surrogate pair as key', '{"Put":{"key":"\\ud800","value":"a"}}', 400, /key/i],
    ['a key that is too deep', put(deepPath, 'a'), 400, /key/i],
    ['a key that is too long', put(longPath, 'a'), 400, /key/i],
    ['a value that is too long', put('a', 'x'.repeat(MIB + 1)), 413, /value/i],
    ['a body that is too long', put('a', 'x'.repeat(9 * MIB)), 413, /body/i],
  ];

  test.for(bad)('/write refuses %s', async ([, body, status, reason]) => {
    const leader = await cluster.leader();
    for (const id of [leader, ...cluster.ids.filter((other) => other !== leader).slice(0, 1)]) {
      const reply = await sendText(cluster.node(id).ports.cluster, 'POST', '/write', body);
      expect([reply.status, reply.text]).toEqual([status, '"Err"']);
      expect(reply.headers['x-metad-error']).toMatch(reason);
    }
  });

  test.for(['', '{', '{"key":"a"}', '1', '""', '"/"', '"a//b"', '["a"]'])(
    '/read refuses %s',
    async (body) => {
      const reply = await sendText(cluster.node(2).ports.cluster, 'POST', '/read', body);
      expect(reply.status).toBe(400);
      expect(json(reply)).toEqual({ err: { code: 400, message: expect.stringMatching(/./) } });
    },
  );
});

describe('the cluster API', () => {
  test.for([
    ['/add-learner', '', /JSON|\[ID/i],
    ['/add-learner', '[2, "127.0.0.1:2"', /JSON/i],
    ['/add-learner', '[2]', /\[ID/],
    ['/add-learner', '["2", "127.0.0.1:2"]', /\[ID|id/],
    ['/add-learner', '[0, "127.0.0.1:2"]', /id/i],
    ['/add-learner', '[1.5, "127.0.0.1:2"]', /id/i],
    ['/add-learner', '[4, "no port"]', /HOST:PORT/],
    ['/add-learner', '[4, "127.0.0.1:99999"]', /port/i],
    ['/change-membership', '{}', /list/],
    ['/change-membership', '["1"]', /id|number/],
    ['/change-membership', '[-1]', /id/],
    ['/change-membership', '[1, 2', /JSON/i],
  ] as const)('%s refuses %s', async ([path, body, reason]) => {
    const reply = await sendText(cluster.node(3).ports.cluster, 'POST', path, body);
    expect(reply.status).toBe(400);
    expect(json(reply)).toEqual({ Err: { APIError: expect.anything() } });
    expect(reply.text).toMatch(reason);
  });

  test('unknown paths and methods', async () => {
    const port = cluster.node(1).ports.cluster;
    expect((await sendText(port, 'GET', '/nothing')).status).toBe(404);
    for (const [method, path] of [
      ['GET', '/write'],
      ['POST', '/read-all'],
      ['DELETE', '/metrics'],
      ['PUT', '/read'],
    ] as const) {
      const reply = await sendText(port, method, path, '{}');
      expect(reply.status, `${method} ${path}`).toBe(405);
      expect(reply.headers.allow, `${method} ${path}`).toBeDefined();
    }
  });
});

describe('the manage API', () => {
  const error = (code: number, message: RegExp): unknown => ({
    code,
    type: 'ERROR',
    message: expect.stringMatching(message),
  });

  test.for([
    ['cut JSON', 'PUT', '/v1/data', '{"a":', 400, /^invalid json/],
    ['an empty body', 'POST', '/v1/data', '', 400, /^invalid json/],
    ['a leaf for the root', 'POST', '/v1/data', '"x"', 400, /./],
    ['a path that is too deep', 'PUT', `/v1/data/${deepPath}`, '"x"', 400, /path/i],
    ['a path that is too long', 'PUT', `/v1/data/${longPath}`, '"x"', 414, /path/i],
    ['a key that is too long', 'PUT', '/v1/data/a', JSON.stringify({ [longPath]: 'x' }), 400, /path|key/i],
    [
      'a value that is too long',
      'PUT',
      '/v1/data/a',
      JSON.stringify({ b: 'x'.repeat(MIB + 1) }),
      413,
      /value/i,
    ],
    [
      'a body that is too long',
      'PUT',
      '/v1/data/a',
      JSON.stringify({ b: 'x'.repeat(9 * MIB) }),
      413,
      /body/i,
    ],
    ['lists in lists', 'PUT', '/v1/data/a', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 400, /./],
    ['a broken escape', 'PUT', '/v1/data/%zz', '"x"', 400, /./],
    ['a mapping of no address', 'PUT', '/v1/mapping', '{"no address":{"a":"/b"}}', 400, /ip/i],
    ['a mapping to no path', 'PUT', '/v1/mapping', '{"10.0.0.1":{"a":"b"}}', 400, /path/i],
    ['a mapping that is a list', 'PUT', '/v1/mapping', '[]', 400, /object/i],
    ['rules that are no list', 'POST', '/v1/rule', '{"10.0.0.1":{"path":"/"}}', 400, /^invalid json/],
    ['an unknown rule mode', 'POST', '/v1/rule', '{"10.0.0.1":[{"path":"/","mode":7}]}', 400, /7/],
    ['an unknown method', 'PATCH', '/v1/data', '{}', 405, /./],
    ['an unknown path', 'GET', '/v2/data', undefined, 404, /./],
  ] as const)('refuses %s', async ([, method, path, body, status, message]) => {
    const reply = await sendText(cluster.node(2).ports.manage, method, path, body);
    expect(reply.status, reply.text.slice(0, 300)).toBe(status);
    expect(json(reply)).toEqual(error(status, message));
  });
});

test.for([
  ['manage', 'PUT /v1/data/a'],
  ['cluster', 'POST /write'],
  ['cluster', 'POST /read'],
] as const)(
  'the %s port does not ask for a body of %s that is held back and too long',
  async ([port, line]) => {
    const head = `${line} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${9 * MIB}\r\n\r\n`;
    expect(await sendRaw(cluster.node(2).ports[port], head)).toMatch(/^HTTP\/1\.1 413 /);
  },
);

describe('the metadata API', () => {
  test.for(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('refuses %s', async (method) => {
    const reply = await sendText(cluster.node(1).ports.metadata, method, '/tree', '{}');
    expect([404, 405]).toContain(reply.status);
  });

  test('refuses a broken escape, an over-long path and over-long headers', async () => {
    const get = (path: string, headers: Record<string, string> = {}) =>
      cluster.metadata(1, path, client, headers);
    expect((await get('/%zz')).status).toBe(400);
    expect([400, 404, 414]).toContain((await get(`/${longPath}`)).status);
    expect([400, 404, 414]).toContain((await get(`/${deepPath}`)).status);
    expect((await get(`/${'n'.repeat(20_000)}`)).status).toBe(431);
    expect((await get('/', { 'X-Long': 'x'.repeat(20_000) })).status).toBe(431);
  });

  test('takes nonsense in its parameters and headers for what it is', async () => {
    const get = (path: string, headers: Record<string, string> = {}) =>
      cluster.metadata(1, path, client, headers);
    expect([200, 400]).toContain((await get('/tree?prev_version=-1&timeout=abc&min_version=x')).status);
    expect((await get('/tree?consistency=maybe')).status).toBe(400);
    expect([200, 400]).toContain((await get('/tree', { 'X-Metad-Version': 'garbage' })).status);
    expect((await get('/tree', { Accept: ';;;,,,q=' })).status).toBe(200);
    expect((await cluster.metadata(1, '/tree', 'no address')).status).toBe(404);
  });
});

describe('every port', () => {
  const ports = ['metadata', 'manage', 'cluster'] as const;

  test.for(ports)('%s closes a connection that does not speak HTTP', async (port) => {
    for (const id of cluster.ids) {
      expect(await sendRaw(cluster.node(id).ports[port], randomBytes(4096))).toMatch(/^$|^HTTP\/1\.1 400/);
    }
  });

  test.for(ports)('%s refuses an upgrade to what it does not know', async (port) => {
    const upgrade = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: bogus\r\n\r\n';
    // A server may as well ignore the wish, answer the request and keep the connection.
    const reply = await sendRawAndEnd(cluster.node(1).ports[port], upgrade);
    expect(reply).toMatch(/^HTTP\/1\.1 [24]\d\d /);
    expect(reply).not.toContain('101 Switching');
  });

  test.for(ports)('%s survives clients that leave in the middle', async (port) => {
    const heads = [
      'POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"Put"',
      'GET / HT',
      'PUT /v1/data HTTP/1.1\r\n',
    ];
    for (const head of heads) {
      const controller = new AbortController();
      const leaving = send({
        port: cluster.node(1).ports[port],
        path: '/',
        body: head,
        signal: controller.signal,
      });
      controller.abort();
      await expect(leaving).rejects.toThrow(/abort/i);
    }
  });
});
