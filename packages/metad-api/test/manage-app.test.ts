import { describe, expect, test } from 'vitest';
import { JSON_TYPE, NOT_FOUND, TestNode, versionOf } from './test-node.ts';

const ERROR = (message: RegExp | string, code = 400) => ({
  code,
  message: expect.stringMatching(message),
  type: 'ERROR',
});

async function sent(
  node: TestNode,
  method: string,
  path: string,
  body?: unknown,
): Promise<[number, unknown]> {
  const response = await node.manage(method, path, body, { headers: JSON_TYPE });
  return [response.status, await response.json()];
}

async function shown(node: TestNode, path: string): Promise<unknown> {
  return (await sent(node, 'GET', path))[1];
}

function byteByByte(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
}

describe('data', () => {
  test('PUT merges, POST replaces, DELETE deletes, each as one command', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data', { app: { name: 'shop', env: { mode: 'prod' } }, zone: 'a' });
    await node.write('PUT', '/v1/data/app', { env: { debug: true }, ports: [80, 443] });
    expect(await shown(node, '/v1/data')).toEqual({
      app: { name: 'shop', env: { mode: 'prod', debug: 'true' }, ports: { 0: '80', 1: '443' } },
      zone: 'a',
    });
    await node.write('POST', '/v1/data/app', { only: '1' });
    await node.write('DELETE', '/v1/data/zone/');
    expect(await shown(node, '/v1/data')).toEqual({ app: { only: '1' } });
    await node.write('POST', '/v1/data', {});
    expect(await shown(node, '/v1/data')).toEqual({});
    expect(node.replica.commands.map(({ type }) => type)).toEqual([
      'merge',
      'merge',
      'replace',
      'delete',
      'replace',
    ]);
  });

  test.each([
    ['3,1', { 2: 'b', 4: 'd' }],
    ['none,,', { 1: 'a', 2: 'b', 3: 'c', 4: 'd' }],
    ['', { 1: 'a', 2: 'b', 3: 'c', 4: 'd' }],
    ['.,..,4', { 1: 'a', 2: 'b', 3: 'c' }],
    ['1&subs=2', { 3: 'c', 4: 'd' }],
  ])('subs=%s', async (subs, left) => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data/n', { 1: 'a', 2: 'b', 3: 'c', 4: 'd' });
    expect(await sent(node, 'DELETE', `/v1/data/n?subs=${subs}`)).toEqual([200, { code: 200, type: 'OK' }]);
    expect(await shown(node, '/v1/data/n')).toEqual(left);
  });

  test('what is refused changes nothing', async () => {
    const node = new TestNode();
    const version = await node.write('PUT', '/v1/data', { a: '1' });
    expect(await sent(node, 'PUT', '/v1/data', 'root')).toEqual([400, ERROR(/root/)]);
    expect(await sent(node, 'POST', '/v1/data', 7)).toEqual([400, ERROR(/root/)]);
    expect(await sent(node, 'DELETE', '/v1/data?subs=a,b/c')).toEqual([400, ERROR(/path/)]);
    expect(await sent(node, 'PUT', '/v1/data/%zz', 'x')).toEqual([400, ERROR(/percent/)]);
    expect(await sent(node, 'PUT', `/v1/data${'/a'.repeat(70)}`, 'x')).toEqual([400, ERROR(/deeper/)]);
    const response = await node.manage('POST', '/v1/data', undefined, { rawBody: '{"a":' });
    expect([response.status, versionOf(response)]).toEqual([400, version]);
    expect(await response.text()).toMatch(/^invalid json: /);
    expect(await shown(node, '/v1/data')).toEqual({ a: '1' });
    expect(node.replica.commands).toHaveLength(1);
  });

  test('a body that is too large is refused, announced or not', async () => {
    const node = new TestNode({ maxBodyBytes: 100, maxValueBytes: 50 });
    expect(await sent(node, 'PUT', '/v1/data/a', 'x'.repeat(98))).toEqual([413, ERROR(/value/, 413)]);
    expect(await sent(node, 'PUT', '/v1/data/a', 'x'.repeat(99))).toEqual([413, ERROR(/body/, 413)]);
    let sentChunks = 0;
    const endless = new ReadableStream({
      pull(controller) {
        sentChunks += 1;
        controller.enqueue(new TextEncoder().encode('["xxxxxxxxxxxxxxxx",'));
      },
    });
    const response = await node.manage('PUT', '/v1/data/a', undefined, { rawBody: endless });
    expect(response.status).toBe(413);
    expect(sentChunks).toBeLessThan(100);
    const lying = await node.manage('PUT', '/v1/data/a', undefined, {
      rawBody: '1',
      headers: { 'content-length': '101' },
    });
    expect(lying.status).toBe(413);
    expect(node.replica.commands).toEqual([]);
  });

  test('characters that are split between chunks survive', async () => {
    const node = new TestNode();
    const slow = byteByByte(new TextEncoder().encode('"größe🗝"'));
    await node.manage('PUT', '/v1/data/a', undefined, { rawBody: slow });
    expect(await shown(node, '/v1/data/a')).toBe('größe🗝');
  });

  test.each([
    ['PUT', '/v1/data/a'],
    ['POST', '/v1/mapping'],
    ['PUT', '/v1/rule'],
    ['POST', '/v1/batch'],
  ])('%s %s takes no bytes that are no UTF-8, however they come', async (method, path) => {
    const node = new TestNode();
    // A byte that never occurs, one that is alone, a surrogate, and a character that is cut off.
    for (const bad of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf0, 0x9f]]) {
      const rawBody = Uint8Array.of(0x22, ...bad, 0x22);
      const cut = Uint8Array.of(0x22, ...bad);
      for (const body of [rawBody, byteByByte(rawBody), cut, byteByByte(cut)]) {
        const response = await node.manage(method, path, undefined, { rawBody: body, headers: JSON_TYPE });
        expect([response.status, await response.json()]).toEqual([400, ERROR(/^invalid json: .* no UTF-8/)]);
      }
    }
    expect(node.replica.commands).toEqual([]);
  });

  test.each(['%ff', '%c3%28', '%ed%a0%80', '%f0%9f', '%c0%af', '%', '%4'])(
    '%s is no name in a path',
    async (name) => {
      const node = new TestNode();
      expect(await sent(node, 'PUT', `/v1/data/${name}`, 'x')).toEqual([400, ERROR(/percent/)]);
      expect((await node.metadata(`/${name}`)).status).toBe(400);
    },
  );
});

describe('mapping', () => {
  test('is found under every spelling of its address, and shown under one', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/mapping', {
      '2001:DB8:0::7': { a: '/a' },
      '::ffff:10.1.0.1': { b: '//b/' },
    });
    expect(await shown(node, '/v1/mapping')).toEqual({
      '10.1.0.1': { b: '//b/' },
      '2001:db8::7': { a: '/a' },
    });
    expect(await shown(node, '/v1/mapping/2001:db8::0:7/a')).toBe('/a');
    await node.write('DELETE', '/v1/mapping?subs=%202001:0db8::7%20,host-a,');
    expect(await shown(node, '/v1/mapping')).toEqual({ '10.1.0.1': { b: '//b/' } });
    await node.write('PUT', '/v1/mapping/::ffff:10.1.0.1/g/x', '/x');
    await node.write('DELETE', '/v1/mapping/10.1.0.1?subs=b,.,%20');
    expect(await shown(node, '/v1/mapping/10.1.0.1')).toEqual({ g: { x: '/x' } });
  });

  test.each([
    ['/v1/mapping', 'x', /object/],
    ['/v1/mapping', ['x'], /object/],
    ['/v1/mapping', null, /object/],
    ['/v1/mapping', { '10.1.0.1': '/x' }, /object/],
    ['/v1/mapping', { '10.1.0.1': null }, /object/],
    ['/v1/mapping/10.1.0.1', '/x', /object/],
    ['/v1/mapping', { 'host-a': { n: '/x' } }, /\bip\b/],
    ['/v1/mapping', { '010.1.0.1': {} }, /\bip\b/],
    ['/v1/mapping', { '10.1.0.1/24': { n: '/x' } }, /\bip\b/],
    ['/v1/mapping', { '::1': { n: '/x' }, '0::1': { m: '/x' } }, /twice/],
    ['/v1/mapping/host-a/n', '/x', /\bip\b/],
    ['/v1/mapping/host-a', {}, /\bip\b/],
    ['/v1/mapping/10.1.0.1/n', 'relative', /path/],
    ['/v1/mapping/10.1.0.1/n', '', /path/],
    ['/v1/mapping/10.1.0.1/n', 7, /path/],
    ['/v1/mapping/10.1.0.1', { n: null }, /path/],
    ['/v1/mapping/10.1.0.1', { n: ['/x'] }, /path/],
    ['/v1/mapping/10.1.0.1', { 'a/b': '/x' }, /key/],
    ['/v1/mapping/10.1.0.1', { g: { '..': '/x' } }, /key/],
    ['/v1/mapping/10.1.0.1', { '': '/x' }, /key/],
    ['/v1/mapping/10.1.0.1/n', `/${'x'.repeat(3000)}`, /longer/],
    ['/v1/mapping/10.1.0.1/n', '/a'.repeat(70), /deeper/],
  ])('PUT %s %j is refused', async (path, body, message) => {
    const node = new TestNode();
    for (const method of ['PUT', 'POST'])
      expect(await sent(node, method, path, body)).toEqual([400, ERROR(message)]);
    expect(node.replica.commands).toEqual([]);
  });

  test('what can never be a host is not found, and can be deleted', async () => {
    const node = new TestNode();
    expect(await sent(node, 'GET', '/v1/mapping/not-an-address')).toEqual([404, NOT_FOUND]);
    expect(await sent(node, 'DELETE', '/v1/mapping/not-an-address/x')).toEqual([
      200,
      { code: 200, type: 'OK' },
    ]);
    expect(await shown(node, '/v1/mapping')).toEqual({});
  });
});

describe('rules', () => {
  test('are set per host, shown for some or all, deleted by name only', async () => {
    const node = new TestNode();
    await node.write('POST', '/v1/rule', {
      '10.1.0.1': [{ path: 'a//b/', mode: 1, more: true }],
      '10.1.0.2': [{ path: '/x' }, { path: '/y', mode: null }],
      '::1': null,
    });
    await node.write('PUT', '/v1/rule', { '10.1.0.1': [{ path: '/c', mode: 0 }] });
    const all = {
      '10.1.0.1': [{ path: '/c', mode: 0 }],
      '10.1.0.2': [
        { path: '/x', mode: 0 },
        { path: '/y', mode: 0 },
      ],
      '::1': [],
    };
    expect(await shown(node, '/v1/rule/')).toEqual(all);
    expect(await shown(node, '/v1/rule?hosts=')).toEqual(all);
    expect(await shown(node, '/v1/rule?hosts=,0::1,10.9.9.9,host')).toEqual({ '::1': [] });
    expect(await shown(node, '/v1/rule?hosts=host')).toEqual({});
    await node.write('DELETE', '/v1/rule');
    await node.write('DELETE', '/v1/rule?hosts=,host');
    expect(await shown(node, '/v1/rule')).toEqual(all);
    await node.write('DELETE', '/v1/rule?hosts=::ffff:10.1.0.1,%20::1');
    expect(Object.keys(Object(await shown(node, '/v1/rule')))).toEqual(['10.1.0.2']);
  });

  test.each([
    [[], /^invalid json/],
    ['x', /^invalid json/],
    [{ '10.1.0.1': { path: '/', mode: 1 } }, /^invalid json/],
    [{ '10.1.0.1': 'x' }, /^invalid json/],
    [{ '10.1.0.1': [{ path: '/', mode: '1' }] }, /^invalid json/],
    [{ '10.1.0.1': [{ path: '/', mode: 0.5 }] }, /^invalid json/],
    [{ '10.1.0.1': [{ path: 1, mode: 1 }] }, /^invalid json/],
    [{ '10.1.0.1': [{ mode: 1 }] }, /^invalid json/],
    [{ '10.1.0.1': [null] }, /^invalid json/],
    [{ '10.1.0.1': [{ path: '/', mode: 7 }] }, /\b7\b/],
    [{ '10.1.0.1': [{ path: '/', mode: -1 }] }, /-1\b/],
    [
      {
        '10.1.0.1': [
          { path: '/a', mode: 1 },
          { path: 'a/', mode: 0 },
        ],
      },
      /two rules/,
    ],
    [{ 'host-a': [] }, /\bip\b/],
    [{ '::1': [], '0::1': [] }, /twice/],
    [{ '10.1.0.1': [{ path: '/a'.repeat(70), mode: 1 }] }, /deeper/],
  ])('%j is refused', async (body, message) => {
    const node = new TestNode();
    expect(await sent(node, 'POST', '/v1/rule', body)).toEqual([400, ERROR(message)]);
    expect(node.replica.commands).toEqual([]);
  });
});

describe('what became of a write', () => {
  test.each([
    [{ type: 'refused', reason: 'noLeader', message: 'no leader' }, 503, '1', 'no leader'],
    [{ type: 'refused', reason: 'overloaded', message: 'busy' }, 503, '1', 'busy'],
    [{ type: 'refused', reason: 'stopping', message: 'stopping' }, 503, '1', 'stopping'],
    [{ type: 'refused', reason: 'tooLarge', message: 'an entry holds 1 MiB' }, 413, null, '1 MiB'],
    [{ type: 'refused', reason: 'stateFull', message: 'no room' }, 507, null, 'no room'],
    [{ type: 'unknown', message: 'leadership was lost' }, 504, null, 'unknown whether'],
  ] as const)('%j', async (outcome, status, retryAfter, message) => {
    const node = new TestNode();
    node.replica.outcome = outcome;
    for (const [method, path, body] of [
      ['PUT', '/v1/data/a', '1'],
      ['DELETE', '/v1/mapping', undefined],
      ['POST', '/v1/rule', {}],
    ] as const) {
      const response = await node.manage(method, path, body, { headers: JSON_TYPE });
      expect([response.status, response.headers.get('retry-after')]).toEqual([status, retryAfter]);
      expect(await response.json()).toEqual(ERROR(message, status));
      expect(versionOf(response)).toBe(0);
    }
  });

  test('the answer carries a version that includes it, for reads on both ports too', async () => {
    const node = new TestNode();
    await node.allow('10.1.0.1', '/');
    node.replica.holdBack();
    const version = await node.write('PUT', '/v1/data/a', '1');
    const response = await node.metadata('/a');
    expect([versionOf(response), await response.text()]).toEqual([version, '1']);
  });
});

describe('reads', () => {
  test('are linearizable unless asked otherwise', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data/a', '1');
    node.replica.barrier = { type: 'unavailable', message: 'no quorum' };
    for (const path of ['/v1/data/a', '/v1/mapping', '/v1/rule']) {
      const response = await node.manage('GET', path);
      expect([response.status, response.headers.get('retry-after'), versionOf(response)]).toEqual([
        503,
        '1',
        1,
      ]);
      expect((await node.manage('GET', `${path}?consistency=local`)).status).toBe(200);
      expect((await node.manage('GET', `${path}?consistency=maybe`)).status).toBe(400);
    }
    node.replica.caughtUp = false;
    expect((await node.manage('GET', '/v1/data/none?consistency=local')).status).toBe(503);
  });

  test('HEAD is GET without the body', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data/a', 'value');
    const response = await node.manage('HEAD', '/v1/data/a');
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([
      200,
      '5',
      '',
    ]);
  });
});

describe('the limits of a path', () => {
  const LIMITS = { maxPathDepth: 3, maxPathBytes: 40 };
  const atLimit = ['/a/b/c', `/${'x'.repeat(39)}`, `/${'é'.repeat(19)}y`];

  test('are those of the data, wherever it is asked for', async () => {
    for (const path of atLimit) {
      const node = new TestNode(LIMITS);
      await node.write('PUT', `/v1/data${encodeURI(path)}`, '1');
      await node.write('POST', '/v1/batch', { do: [{ put: `/v1/data${encodeURI(path)}`, value: '2' }] });
      await node.allow('10.1.0.1', '/');
      expect(await shown(node, `/v1/data${encodeURI(path)}`)).toBe('2');
      expect(await shown(node, `/v1/preview${encodeURI(path)}?ip=10.1.0.1`)).toBe('2');
      expect(await shown(node, `/v1/history${encodeURI(path)}`)).toMatchObject({ changes: [{}, {}] });
      expect(await node.json(encodeURI(path))).toBe('2');
      await node.write('DELETE', `/v1/data${encodeURI(path)}`);
    }
  });

  test('hold beyond them', async () => {
    const node = new TestNode(LIMITS);
    for (const [path, status] of [
      ['/a/b/c/d', 400],
      [`/${'x'.repeat(40)}`, 414],
    ] as const) {
      for (const route of ['data', 'mapping', 'preview', 'history']) {
        expect((await node.manage('GET', `/v1/${route}${path}`)).status).toBe(status);
      }
      const batch = { do: [{ put: `/v1/data${path}`, value: '1' }] };
      expect((await node.manage('POST', '/v1/batch', batch)).status).toBe(status);
    }
  });
});

describe('parameters', () => {
  test.each([
    ['GET', '/v1/rule', 'version=1'],
    ['GET', '/v1/rule', 'limit=1'],
    ['HEAD', '/v1/rule', 'cursor=L2E'],
    ['GET', '/v1/data/a', 'hosts=10.1.0.1'],
    ['GET', '/v1/mapping', 'before=3'],
    ['GET', '/v1/preview/a', 'ip=10.1.0.1&version=1'],
    ['GET', '/v1/history', 'path=/a'],
    ['GET', '/v1/diff', 'from=0&version=1'],
    ['GET', '/v1/explain', 'ip=10.1.0.1&cursor=L2E'],
    ['PUT', '/v1/data/a', 'subs=b'],
    ['POST', '/v1/rule', 'hosts=10.1.0.1'],
    ['POST', '/v1/batch', 'consistency=local'],
    ['DELETE', '/v1/data', 'limit=1'],
    ['DELETE', '/v1/mapping', 'hosts=10.1.0.1'],
    ['DELETE', '/v1/rule', 'hosts=10.1.0.1&subs='],
  ])('%s %s can do nothing with one in %s, and says so', async (method, path, query) => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data/a', '1');
    const body = method === 'PUT' || method === 'POST' ? { b: '1' } : undefined;
    const response = await node.manage(method, `${path}?${query}`, body);
    expect([response.status, versionOf(response)]).toEqual([400, 1]);
    const name = query.slice(query.lastIndexOf('&') + 1).replace(/=.*/, '');
    const shownAs =
      method === 'HEAD' ? '' : `${method} ${path.replace('/a', '')} has no parameter "${name}"\n`;
    expect(await response.text()).toBe(shownAs);
    expect(node.replica.version()).toBe(1);
  });

  test('that nobody knows, and those of waits, are passed over', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data/a?x=1&wait=true', '1');
    const response = await node.manage('GET', '/v1/data/a?_=17&wait=true&prev_version=1&timeout=x');
    expect([response.status, await response.text()]).toEqual([200, '1']);
    expect((await node.manage('GET', '/health?version=1')).status).toBe(200);
  });
});

describe('paths and methods', () => {
  test.each([
    '/',
    '/v1',
    '/v1/',
    '/v2/data',
    '/v1/database',
    '/v1/rule/10.1.0.1',
    '/data',
    '/favicon.ico',
    '/health/x',
    '/metrics',
    '*',
  ])('%s is not found', async (path) => {
    const node = new TestNode();
    expect(await sent(node, 'GET', path)).toEqual([404, NOT_FOUND]);
  });

  test('a name may hold anything but a slash', async () => {
    const node = new TestNode();
    const names = { 'line\nbreak': '1', 'a?b#c': '2', ':id{}*': '3', ' ': '4', '\u0000': '5' };
    await node.write('PUT', '/v1/data', names);
    await node.allow('10.1.0.1', '/');
    for (const [name, value] of Object.entries(names)) {
      expect(await shown(node, `/v1/data/${encodeURIComponent(name)}`)).toBe(value);
      expect(await node.json(`/${encodeURIComponent(name)}`)).toBe(value);
    }
  });

  test.each(['//v1//data/./a', '/v1%2Fdata%2Fa', '/x/../v1/data/a/'])('%s is /v1/data/a', async (path) => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data/a', '1');
    expect(await shown(node, path)).toBe('1');
  });

  test.each([
    ['PATCH', '/v1/data/a', 'HEAD, GET, POST, PUT, DELETE'],
    ['OPTIONS', '/v1/rule', 'HEAD, GET, POST, PUT, DELETE'],
    ['GET', '/v1/batch', 'POST'],
    ['HEAD', '/v1/batch', 'POST'],
    ['POST', '/health', 'HEAD, GET'],
    ['DELETE', '/ready', 'HEAD, GET'],
  ])('%s %s is 405', async (method, path, allow) => {
    const node = new TestNode();
    const response = await node.manage(method, path, undefined, { headers: JSON_TYPE });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
    if (method !== 'HEAD') expect(await response.json()).toEqual(ERROR(/allowed/, 405));
  });

  test('/health, /ready and /metrics', async () => {
    const metrics = async () => ({ contentType: 'text/plain; version=0.0.4', body: 'metad_up 1\n' });
    const node = new TestNode({}, { metrics });
    expect(await sent(node, 'GET', '/health')).toEqual([200, { status: 'up' }]);
    expect(await sent(node, 'GET', '/ready')).toEqual([200, { status: 'ready' }]);
    node.replica.hasLeader = node.replica.caughtUp = false;
    expect(await sent(node, 'GET', '/ready')).toMatchObject([
      503,
      { status: 'notReady', reasons: [/leader/, /caught up/].map((reason) => expect.stringMatching(reason)) },
    ]);
    const response = await node.manage('GET', '/metrics');
    expect([response.headers.get('content-type'), await response.text()]).toEqual([
      'text/plain; version=0.0.4',
      'metad_up 1\n',
    ]);
  });
});

describe('who may manage', () => {
  test('with a token: only who has it, except for /health and /ready', async () => {
    const metrics = async () => ({ contentType: 'text/plain', body: '' });
    const node = new TestNode({ manageToken: 'correct horse' }, { metrics });
    const status = async (path: string, authorization?: string) =>
      (
        await node.manage(
          'GET',
          path,
          undefined,
          authorization === undefined ? {} : { headers: { authorization } },
        )
      ).status;
    for (const path of ['/v1/data', '/v1/mapping', '/v1/rule', '/metrics']) {
      for (const wrong of [
        undefined,
        '',
        'Bearer',
        'Bearer x',
        'Basic correct horse',
        'Bearer correct horse2',
        'bearer  ',
      ]) {
        expect(await status(path, wrong)).toBe(401);
      }
    }
    expect(await status('/health')).toBe(200);
    expect(await status('/ready')).toBe(200);
    const open = new TestNode({ manageToken: 's3cret' });
    for (const header of ['Bearer s3cret', 'bearer  s3cret']) {
      expect(
        (await open.manage('GET', '/v1/data', undefined, { headers: { authorization: header } })).status,
      ).toBe(200);
    }
    const refused = await open.manage('PUT', '/v1/data/a', '1', { headers: JSON_TYPE });
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect(open.replica.commands).toEqual([]);
  });

  test.each([
    ['http://127.0.0.1:9611', '127.0.0.1:9611', 200],
    ['http://localhost:9611', 'localhost:9611', 200],
    ['http://[::1]:9611', '[::1]:9611', 200],
    ['http://LOCALHOST:9611', 'LocalHost:9611', 200],
    ['http://127.0.0.1:8000', '127.0.0.1:9611', 403],
    ['http://evil.example', '127.0.0.1:9611', 403],
    ['null', '127.0.0.1:9611', 403],
    ['', '127.0.0.1:9611', 403],
    // A page whose name was made to lead here.
    ['http://evil.example:9611', 'evil.example:9611', 403],
  ])('a browser at %s asking %s: %d', async (origin, host, status) => {
    const node = new TestNode();
    const response = await node.manage('PUT', '/v1/data/a', '1', { headers: { origin, host } });
    expect(response.status).toBe(status);
    expect(node.replica.commands).toHaveLength(status === 200 ? 1 : 0);
  });

  test('a page on a name of its own may use a port that needs a token', async () => {
    const node = new TestNode({ manageToken: 's3cret' });
    const headers = {
      origin: 'https://metad.example',
      host: 'metad.example',
      authorization: 'Bearer s3cret',
    };
    expect((await node.manage('GET', '/v1/data', undefined, { headers })).status).toBe(200);
  });
});
