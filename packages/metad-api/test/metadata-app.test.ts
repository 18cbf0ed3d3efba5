import { describe, expect, test } from 'vitest';
import { JSON_TYPE, NOT_FOUND, settle, TestNode, versionOf } from './test-node.ts';

const CLIENT = '10.1.0.1';
const DATA = {
  nodes: { 1: { ip: '192.0.2.1', name: 'one' }, 2: { name: 'two' } },
  apps: { shop: { port: 80 } },
};

async function nodeWithData(...args: ConstructorParameters<typeof TestNode>): Promise<TestNode> {
  const node = new TestNode(...args);
  await node.write('PUT', '/v1/data', DATA);
  return node;
}

describe('what a client sees', () => {
  test('is nothing without rules and mapping, not even that there is something', async () => {
    const node = await nodeWithData();
    for (const path of ['/', '/nodes', '/nodes/1/name', '/self', '/none']) {
      const response = await node.metadata(path, { headers: JSON_TYPE });
      expect([response.status, await response.json()]).toEqual([404, NOT_FOUND]);
    }
  });

  test('is what its mapping names, in its place, with the same under /self', async () => {
    const node = await nodeWithData();
    await node.write('PUT', '/v1/mapping', {
      [CLIENT]: { node: '/nodes/1/', g: { app: '/apps', gone: '/x' }, e: { x: '/no' } },
    });
    const self = { node: DATA.nodes[1], g: { app: { shop: { port: '80' } } }, e: {} };
    expect(await node.json('/')).toEqual({
      nodes: { 1: DATA.nodes[1] },
      apps: { shop: { port: '80' } },
      self,
    });
    expect(await node.json('/self')).toEqual(self);
    expect(await node.json('/self/g/app/shop/port')).toBe('80');
    expect(await node.json('/self/e')).toEqual({});
    expect(await node.json('/self/g/gone')).toEqual(NOT_FOUND);
    expect(await node.json('/nodes/2')).toEqual(NOT_FOUND);
    expect(await (await node.metadata('/self')).text()).toBe(
      '/g/app/shop/port\t80\n/node/ip\t192.0.2.1\n/node/name\tone\n',
    );
  });

  test('is decided by rules alone where there are any', async () => {
    const node = await nodeWithData();
    await node.write('PUT', '/v1/mapping', { [CLIENT]: { node: '/nodes/1', app: '/apps' } });
    await node.allow(CLIENT, '/apps');
    expect(await node.json('/')).toEqual({
      apps: { shop: { port: '80' } },
      self: { app: { shop: { port: '80' } } },
    });
    expect(await node.json('/self/node')).toEqual(NOT_FOUND);
    await node.write('POST', '/v1/rule', { [CLIENT]: [] });
    expect(await node.json('/')).toEqual({ self: {} });
  });

  test('changes with the next request after a change of rules, mapping or data', async () => {
    const node = await nodeWithData();
    await node.allow(CLIENT, '/nodes');
    expect(await node.json('/nodes/2/name')).toBe('two');
    await node.write('PUT', '/v1/data/nodes/2/name', 'dos');
    expect(await node.json('/nodes/2/name')).toBe('dos');
    await node.allow(CLIENT, '/apps');
    expect(await node.json('/nodes/2/name')).toEqual(NOT_FOUND);
    await node.write('DELETE', `/v1/rule?hosts=${CLIENT}`);
    expect(await node.json('/')).toEqual(NOT_FOUND);
  });

  test('never comes from rules that are older than the data beside them', async () => {
    const node = await nodeWithData();
    await node.allow(CLIENT, '/nodes');
    expect(await node.json('/nodes/2/name')).toBe('two');
    // The state runs ahead of what the app has been told.
    node.replica.holdBack();
    node.replica.applyAll([
      { type: 'setRules', rules: [[CLIENT, [{ path: '/apps', mode: 1 }]]] },
      { type: 'merge', tree: 'data', leaves: [['/nodes/2/name', 'secret']] },
    ]);
    expect(await node.json('/nodes/1')).toEqual(NOT_FOUND);
    expect(await node.json('/nodes/2/name')).toEqual(NOT_FOUND);
    node.replica.deliverHeldBack();
    expect(await node.json('/nodes/2/name')).toEqual(NOT_FOUND);
    expect(await node.json('/apps/shop/port')).toBe('80');
  });

  test('an equal profile shares answers, another one never does', async () => {
    const node = await nodeWithData();
    await node.write('POST', '/v1/rule', {
      '10.1.0.1': [{ path: '/nodes/1', mode: 1 }],
      '10.1.0.2': [{ path: '/nodes/1', mode: 1 }],
      '10.1.0.3': [{ path: '/nodes/2', mode: 1 }],
    });
    for (let round = 0; round < 2; round += 1) {
      expect(await node.json('/nodes', '10.1.0.1')).toEqual({ 1: DATA.nodes[1] });
      expect(await node.json('/nodes', '10.1.0.2')).toEqual({ 1: DATA.nodes[1] });
      expect(await node.json('/nodes', '10.1.0.3')).toEqual({ 2: DATA.nodes[2] });
      expect(await node.json('/nodes', '10.1.0.4')).toEqual(NOT_FOUND);
    }
  });

  test('an address that cannot be read is nobody', async () => {
    const node = await nodeWithData({ xff: true });
    await node.allow('127.0.0.1', '/');
    const sent = { client: '127.0.0.1', headers: { 'x-forwarded-for': 'unknown' } };
    expect((await node.metadata('/', sent)).status).toBe(404);
    expect((await node.metadata('/', { client: '127.0.0.1' })).status).toBe(200);
  });
});

describe('every answer', () => {
  const requests: [string, string, number][] = [
    ['GET', '/nodes/1', 200],
    ['GET', '/none', 404],
    ['GET', '/self', 404],
    ['GET', '/favicon.ico', 404],
    ['GET', '/%zz', 400],
    ['GET', `/${'x'.repeat(3000)}`, 414],
    ['GET', '/a'.repeat(65), 400],
    ['GET', '/?consistency=sometimes', 400],
    ['GET', '/?min_version=x', 400],
    ['GET', '/?wait=true&timeout=soon', 400],
    ['GET', '/?min_version=1000&timeout=0', 503],
    ['POST', '/nodes', 405],
    ['DELETE', '/%zz', 405],
    ['PATCH', '/self', 405],
    ['OPTIONS', '*', 405],
  ];

  test.each(requests)(
    '%s %.30s is in the negotiated type and carries id and version: %d',
    async (method, path, status) => {
      const node = await nodeWithData({ catchUpTimeoutMs: 0 });
      const version = await node.allow(CLIENT, '/');
      const ids = new Set<string | null>();
      for (const [accept, type] of [
        ['', 'text/plain; charset=utf-8'],
        ['application/json', 'application/json'],
        ['text/yaml', 'application/yaml'],
      ]) {
        const answer = node.metadata(path, { method, headers: { accept: accept ?? '' } });
        await settle();
        node.clock.advance(1000);
        const response = await answer;
        expect([response.status, response.headers.get('content-type')]).toEqual([status, type]);
        expect(versionOf(response)).toBe(version);
        const text = await response.text();
        expect(Number(response.headers.get('content-length'))).toBe(Buffer.byteLength(text));
        if (status !== 200)
          expect(text).toMatch(
            { '': /^[^{].*\n$/, 'application/json': /^\{"code":\d+,"message":".+","type":"ERROR"\}$/ }[
              accept ?? ''
            ] ?? /^code: \d+\nmessage: .+\ntype: ERROR\n$/,
          );
        if (status === 503) expect(response.headers.get('retry-after')).toBe('1');
        if (status === 405) expect(response.headers.get('allow')).toBe('GET, HEAD');
        ids.add(response.headers.get('x-metad-requestid'));
      }
      expect(ids.size).toBe(3);
      expect(ids).not.toContain(null);
    },
  );

  test('to HEAD is that to GET without the body', async () => {
    const node = await nodeWithData();
    await node.allow(CLIENT, '/');
    for (const path of ['/', '/nodes/1', '/none', '/%zz']) {
      const get = await node.metadata(path, { headers: JSON_TYPE });
      const head = await node.metadata(path, { headers: JSON_TYPE, method: 'HEAD' });
      expect(head.status).toBe(get.status);
      expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'));
      expect(head.headers.get('x-metad-version')).toBe(get.headers.get('x-metad-version'));
      expect(await head.text()).toBe('');
    }
  });
});

describe('how new a read is', () => {
  test('local by default; linearizable asks every time', async () => {
    const node = await nodeWithData();
    await node.allow(CLIENT, '/');
    const { barriers } = node.replica;
    await node.json('/nodes');
    await node.json('/nodes?consistency=local');
    expect(node.replica.barriers).toBe(barriers);
    await node.json('/nodes?consistency=linearizable');
    await node.json('/nodes?consistency=linearizable');
    expect(node.replica.barriers).toBe(barriers + 2);
  });

  test('a linearizable read sees what the barrier covers, delivered or not', async () => {
    const node = await nodeWithData();
    await node.allow(CLIENT, '/');
    expect(await node.json('/nodes/2/name')).toBe('two');
    node.replica.holdBack();
    node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/nodes/2/name', 'dos']] }]);
    expect(await node.json('/nodes/2/name?consistency=linearizable')).toBe('dos');
    // Once seen, never unseen.
    expect(await node.json('/nodes/2/name')).toBe('dos');
  });

  test('a local read, too, sees what this node has applied, delivered or not', async () => {
    const node = await nodeWithData();
    await node.write('PUT', '/v1/rule', { [CLIENT]: [{ path: '/', mode: 1 }] });
    expect(await node.json('/nodes/1/name')).toBe('one');
    node.replica.holdBack();
    node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/nodes/1/name', 'uno']] }]);
    expect(await node.json('/nodes/1/name')).toBe('uno');
  });

  test('without a quorum a linearizable read is refused, a local one is answered', async () => {
    const node = await nodeWithData();
    await node.allow(CLIENT, '/');
    node.replica.barrier = { type: 'unavailable', message: 'no quorum' };
    const response = await node.metadata('/nodes?consistency=linearizable');
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await node.metadata('/nodes')).status).toBe(200);
  });

  test('a node that has not caught up never says "not found"', async () => {
    const node = await nodeWithData();
    node.replica.caughtUp = false;
    for (const path of ['/none', '/', '/self?wait=true']) {
      const response = await node.metadata(path);
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    }
  });

  test.each(['header', 'parameter'])('a newer version in the %s is waited for', async (how) => {
    const node = await nodeWithData();
    const version = await node.allow(CLIENT, '/');
    const path = how === 'header' ? '/nodes/2/name' : `/nodes/2/name?min_version=${version + 1}`;
    const headers = { ...JSON_TYPE, ...(how === 'header' ? { 'x-metad-version': String(version + 1) } : {}) };
    const held = await node.hold(path, { headers });
    expect(await held.isAnswered()).toBe(false);
    await node.write('PUT', '/v1/data/other', 'x');
    const response = await held.response;
    expect([response.status, versionOf(response)]).toEqual([200, version + 1]);
    expect(node.apps.waiters()).toBe(0);
  });

  test('a version that does not come in time is 503', async () => {
    const node = await nodeWithData({ catchUpTimeoutMs: 5000 });
    const version = await node.allow(CLIENT, '/');
    const held = await node.hold(`/nodes?min_version=${version + 5}`);
    node.clock.advance(4000);
    expect(await held.isAnswered()).toBe(false);
    node.clock.advance(2000);
    expect((await held.response).status).toBe(503);
    expect(node.apps.waiters()).toBe(0);
    expect(node.clock.timerCount).toBe(0);
  });

  test('a linearizable read knows at once that there is no such version', async () => {
    const node = await nodeWithData();
    const version = await node.allow(CLIENT, '/');
    // The clock stands still.
    const refused = await node.metadata(`/nodes?consistency=linearizable&min_version=${version + 1}`);
    expect([refused.status, await refused.text()]).toEqual([
      503,
      `there is no version ${version + 1} yet: the newest is ${version}\n`,
    ]);
    const wait = `/nodes?consistency=linearizable&wait=true&prev_version=${version + 1}`;
    const answered = await node.metadata(wait);
    expect([answered.status, versionOf(answered)]).toEqual([200, version]);
  });

  test('a version that is there, or is none, changes nothing', async () => {
    const node = await nodeWithData();
    const version = await node.allow(CLIENT, '/');
    for (const header of [String(version), '1', '0', 'garbage', '-5', '99999999999999999999']) {
      expect((await node.metadata('/nodes', { headers: { 'x-metad-version': header } })).status).toBe(200);
    }
  });
});

test('what went wrong inside is 500, reported, and not shown', async () => {
  const errors: unknown[] = [];
  const node = await nodeWithData({}, { onError: (error) => errors.push(error) });
  await node.allow(CLIENT, '/');
  const broken = new Error('the disk is gone: /var/lib/secret');
  Object.defineProperty(node.replica.state, 'read', {
    value: () => {
      throw broken;
    },
  });
  for (const path of ['/nodes', '/nodes?consistency=linearizable']) {
    const response = await node.metadata(path, { headers: JSON_TYPE });
    expect([response.status, await response.json()]).toEqual([
      500,
      { code: 500, message: 'Internal error', type: 'ERROR' },
    ]);
  }
  expect(errors).toEqual([broken, broken]);
});

test('each request is reported once, by route', async () => {
  const reports: string[] = [];
  const node = await nodeWithData(
    {},
    { onRequest: ({ app, method, route, status }) => reports.push(`${app} ${method} ${route} ${status}`) },
  );
  reports.length = 0;
  await node.allow(CLIENT, '/');
  await node.metadata('/nodes/1?pretty=1');
  await node.metadata('/self/x', { method: 'HEAD' });
  await node.metadata('/none?wait=true&timeout=0&prev_version=1');
  await node.manage('GET', '/v1/data/nodes/1');
  await node.manage('GET', '/v1/nope');
  node.clock.advance(1000);
  expect(reports).toEqual([
    'manage POST /v1/rule 200',
    'metadata GET /* 200',
    'metadata HEAD /self/* 404',
    'metadata GET /*?wait=true 404',
    'manage GET /v1/data 200',
    'manage GET unknown 404',
  ]);
});
