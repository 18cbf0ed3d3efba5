import { writeOf } from '@metad/kv-store';
import { describe, expect, test, vi } from 'vitest';
import { Access } from '../src/access/access.ts';
import { JSON_TYPE, NOT_FOUND, settle, TestNode, versionOf } from './test-node.ts';

const CLIENT = '10.1.0.1';
const DATA = { nodes: { 1: { ip: 'a', name: 'one' }, 2: { ip: 'b', name: 'two' } }, other: 'x' };

async function openNode(...args: ConstructorParameters<typeof TestNode>): Promise<TestNode> {
  const node = new TestNode(...args);
  await node.write('PUT', '/v1/data', DATA);
  await node.allow(CLIENT, '/');
  return node;
}

describe('what ends a wait', () => {
  test('a change at the path or below it, and none elsewhere', async () => {
    const node = await openNode();
    const held = await node.hold('/nodes/1?wait=true');
    await node.write('PUT', '/v1/data/nodes/2/name', 'dos');
    await node.write('PUT', '/v1/data/nodes/1/name', 'one');
    await node.write('PUT', '/v1/data/nodes/10', 'x');
    expect(await held.isAnswered()).toBe(false);
    const version = await node.write('PUT', '/v1/data/nodes/1/tags/role', 'db');
    const response = await held.response;
    expect([await response.json(), versionOf(response)]).toEqual([
      { ip: 'a', name: 'one', tags: { role: 'db' } },
      version,
    ]);
    expect(node.apps.waiters()).toBe(0);
    expect(node.clock.timerCount).toBe(0);
  });

  test('creation of what was missing, deletion from further up', async () => {
    const node = await openNode();
    const missing = await node.hold('/new/thing?wait=true');
    const below = await node.hold('/other/below?wait=true');
    const present = await node.hold('/nodes/2/name?wait=true');
    await node.write('PUT', '/v1/data/new/other', '1');
    expect(await missing.isAnswered()).toBe(false);
    await node.write('PUT', '/v1/data/new/thing', { a: '1' });
    expect(await missing.json()).toEqual({ a: '1' });
    await node.write('DELETE', '/v1/data/nodes');
    expect(await present.json()).toEqual(NOT_FOUND);
    expect(await below.isAnswered()).toBe(false);
  });

  test('nothing that the client may not see', async () => {
    const node = await openNode();
    await node.write('POST', '/v1/rule', {
      [CLIENT]: [
        { path: '/nodes', mode: 1 },
        { path: '/nodes/2', mode: 0 },
      ],
    });
    const root = await node.hold('/?wait=true');
    const tree = await node.hold('/nodes?wait=true');
    const hidden = await node.hold('/other?wait=true');
    const stranger = await node.hold('/?wait=true', { client: '10.9.9.9' });
    await node.write('PUT', '/v1/data', { other: 'y', fresh: '1', nodes: { 2: { name: 'dos' } } });
    await node.write('DELETE', '/v1/data/nodes/2');
    for (const held of [root, tree, hidden, stranger]) expect(await held.isAnswered()).toBe(false);
    await node.write('PUT', '/v1/data/nodes/1/name', 'uno');
    expect(await tree.json()).toEqual({ 1: { ip: 'a', name: 'uno' } });
    expect(await root.json()).toEqual({ nodes: { 1: { ip: 'a', name: 'uno' } } });
    expect(await hidden.isAnswered()).toBe(false);
    expect(await stranger.isAnswered()).toBe(false);
  });

  test('rules that open or close the path, and none that change nothing there', async () => {
    const node = await openNode();
    await node.allow(CLIENT, '/nodes');
    const held = await node.hold('/other?wait=true');
    await node.allow('10.1.0.2', '/other');
    await node.allow(CLIENT, '/nodes/1', '/nodes/2');
    expect(await held.isAnswered()).toBe(false);
    await node.allow(CLIENT, '/other');
    expect(await held.json()).toBe('x');
    const open = await node.hold('/other?wait=true');
    await node.write('DELETE', `/v1/rule?hosts=${CLIENT}`);
    expect(await open.json()).toEqual(NOT_FOUND);
  });

  test('what new rules open counts from then on, what they close does not', async () => {
    const node = await openNode();
    await node.allow(CLIENT, '/nodes/1');
    const held = await node.hold('/new?wait=true');
    await node.allow(CLIENT, '/new');
    expect(await held.isAnswered()).toBe(false);
    await node.write('PUT', '/v1/data/new', '1');
    expect(await held.json()).toBe('1');
    const closed = await node.hold('/later?wait=true');
    await node.allow(CLIENT, '/later');
    await node.allow(CLIENT, '/nodes/1');
    await node.write('PUT', '/v1/data/later', '1');
    expect(await closed.isAnswered()).toBe(false);
  });

  test('for /self: its targets and the whole mapping of the client, nothing else', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data', DATA);
    const mapping = { [CLIENT]: { node: '/nodes/1', g: { o: '/other' } } };
    await node.write('PUT', '/v1/mapping', mapping);
    const self = await node.hold('/self?wait=true');
    const key = await node.hold('/self/node?wait=true');
    const below = await node.hold('/self/node/name?wait=true');
    await node.write('PUT', '/v1/data/nodes/2/name', 'dos');
    await node.write('PUT', '/v1/mapping', { '10.1.0.2': { node: '/nodes/1' } });
    await node.write('PUT', '/v1/mapping', mapping);
    for (const held of [self, key, below]) expect(await held.isAnswered()).toBe(false);
    await node.write('PUT', `/v1/mapping/${CLIENT}/extra`, '/not/there');
    expect(await self.json()).toEqual({ node: DATA.nodes[1], g: { o: 'x' } });
    expect(await key.isAnswered()).toBe(false);
    await node.write('PUT', '/v1/data/nodes/1/ip', 'c');
    expect(await key.json()).toEqual({ ip: 'c', name: 'one' });
    expect(await below.isAnswered()).toBe(false);
    await node.write('PUT', `/v1/mapping/${CLIENT}/node`, '/nodes/2');
    expect(await below.json()).toBe('dos');
  });

  test('for the root of a client with a mapping: data named self only by way of the mapping', async () => {
    const node = await openNode();
    await node.write('PUT', '/v1/mapping', { [CLIENT]: { n: '/nodes/1/name' } });
    const root = await node.hold('/?wait=true');
    await node.write('PUT', '/v1/data/self/mine', 'hidden');
    expect(await root.isAnswered()).toBe(false);
    await node.write('PUT', `/v1/mapping/${CLIENT}/m`, '/self/mine');
    expect(await root.json()).toMatchObject({ self: { n: 'one', m: 'hidden' } });
    const again = await node.hold('/?wait=true');
    await node.write('PUT', '/v1/data/self/mine', 'shown');
    expect(await again.json()).toMatchObject({ self: { m: 'shown' } });
  });

  test('a remap is followed: the old target no longer counts, the new one does', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data', DATA);
    await node.write('PUT', '/v1/mapping', { [CLIENT]: { a: '/nodes/1', b: '/other' } });
    const held = await node.hold('/self/b?wait=true');
    await node.write('PUT', `/v1/mapping/${CLIENT}/a`, '/nodes/2');
    await node.write('PUT', '/v1/data/nodes/2/ip', 'z');
    expect(await held.isAnswered()).toBe(false);
    await node.write('DELETE', `/v1/mapping/${CLIENT}`);
    expect(await held.json()).toEqual(NOT_FOUND);
    const unmapped = await node.hold('/self/b?wait=true');
    await node.write('PUT', '/v1/mapping', { [CLIENT]: { b: '/nodes' } });
    expect(await unmapped.json()).toMatchObject({ 1: { name: 'one' } });
  });

  test('a snapshot that replaces the state: nobody knows what changed', async () => {
    const node = await openNode();
    const held = await node.hold('/none?wait=true');
    const batch = node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/unrelated', '1']] }]);
    expect(await held.isAnswered()).toBe(false);
    node.replica.deliver({ ...batch, changes: [{ type: 'reset', version: batch.version }] });
    expect(await held.json()).toEqual(NOT_FOUND);
    const old = await node.metadata(`/none?wait=true&prev_version=${batch.version - 1}`);
    expect(old.status).toBe(404);
    await node.hold(`/none?wait=true&prev_version=${batch.version}`);
  });

  test('one write answers everyone whom it concerns', async () => {
    const node = await openNode();
    const all = await Promise.all(
      Array.from({ length: 300 }, () => node.metadata('/nodes', {}).then(() => undefined)),
    );
    expect(all).toHaveLength(300);
    const pending = Array.from({ length: 700 }, (_, i) =>
      node.metadata(`/nodes/${1 + (i % 2)}?wait=true`, { headers: JSON_TYPE }),
    );
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(700));
    await node.write('PUT', '/v1/data/nodes/1/name', 'uno');
    const answers = await Promise.all(pending.filter((_, i) => i % 2 === 0));
    for (const answer of answers) expect(await answer.json()).toEqual({ ip: 'a', name: 'uno' });
    expect(node.apps.waiters()).toBe(350);
  });
});

describe('prev_version', () => {
  test('from before a change that shows: answered at once', async () => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/nodes/1'));
    await node.write('PUT', '/v1/data/nodes/1/ip', 'c');
    for (const name of ['prev_version', 'pre_version']) {
      const response = await node.metadata(`/nodes/1/ip?wait=true&${name}=${version}`, {
        headers: JSON_TYPE,
      });
      expect([await response.json(), versionOf(response)]).toEqual(['c', version + 1]);
    }
    await node.hold(`/nodes/1/ip?wait=true&prev_version=${version + 1}&pre_version=${version}`);
  });

  test('from before other changes only: held', async () => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/nodes/1'));
    await node.write('PUT', '/v1/data/other', 'y');
    await node.allow('10.1.0.2', '/');
    await node.write('PUT', '/v1/mapping', { [CLIENT]: { x: '/other' } });
    const held = await node.hold(`/nodes/1?wait=true&prev_version=${version}`);
    await node.write('PUT', '/v1/data/nodes/1/ip', 'c');
    expect(await held.json()).toMatchObject({ ip: 'c' });
  });

  test('from before a change of the own rules or mapping that makes a difference: answered at once', async () => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/nodes/1'));
    await node.write('PUT', '/v1/mapping', { [CLIENT]: { x: '/other' } });
    expect((await node.metadata(`/self?wait=true&prev_version=${version}`)).status).toBe(200);
    await node.allow(CLIENT, '/nodes');
    expect((await node.metadata(`/other?wait=true&prev_version=${version + 1}`)).status).toBe(404);
  });

  test('from before a change of the own rules that makes none: held', async () => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/nodes/1'));
    await node.allow(CLIENT, '/nodes', '/new');
    await node.write('PUT', '/v1/data/other', 'y');
    await node.allow(CLIENT, '/nodes/1', '/nodes/2');
    const held = await node.hold(`/nodes?wait=true&prev_version=${version}`);
    await node.write('PUT', '/v1/data/other', 'z');
    expect(await held.isAnswered()).toBe(false);
    await node.write('PUT', '/v1/data/nodes/1/ip', 'c');
    expect(await held.json()).toMatchObject({ 1: { ip: 'c' } });
  });

  test('from before data changed that only the old rules, or only the new ones, show: answered at once', async () => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/nodes'));
    await node.write('DELETE', '/v1/data/nodes/2');
    await node.allow(CLIENT, '/nodes/1');
    const closed = await node.metadata(`/nodes?wait=true&prev_version=${version}`, { headers: JSON_TYPE });
    expect(await closed.json()).toEqual({ 1: DATA.nodes[1] });
    await node.write('PUT', '/v1/data/nodes/3', 'x');
    await node.allow(CLIENT, '/nodes');
    const opened = await node.metadata(`/nodes?wait=true&prev_version=${version + 2}`, {
      headers: JSON_TYPE,
    });
    expect(await opened.json()).toEqual({ 1: DATA.nodes[1], 3: 'x' });
  });

  test('from before a change of rules, at a node that never knew the old ones: answered at once', async () => {
    const node = await openNode();
    const version = await node.write('PUT', '/v1/data/nodes/1/ip', 'b');
    await node.allow(CLIENT, '/nodes');
    const response = await node.metadata(`/nodes?wait=true&prev_version=${version}`);
    expect(response.status).toBe(200);
  });

  test('from longer ago than is remembered: answered at once', async () => {
    const node = await openNode({ maxWindowChanges: 2 });
    const version = versionOf(await node.metadata('/nodes/1'));
    for (let i = 0; i < 2; i += 1) await node.write('PUT', '/v1/data/other', String(i));
    await node.hold(`/nodes/1?wait=true&prev_version=${version}`);
    await node.write('PUT', '/v1/data/other', 'more');
    expect((await node.metadata(`/nodes/1?wait=true&prev_version=${version}`)).status).toBe(200);
  });

  test('from the future: the node gets a moment to catch up, then shows what it has', async () => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/nodes/1'));
    const lost = await node.hold(`/nodes/1?wait=true&prev_version=${version + 1000}`);
    node.clock.advance(6000);
    const response = await lost.response;
    expect([response.status, versionOf(response)]).toEqual([200, version]);
  });

  test('from the future, for less than that moment: ends when it asks for', async () => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/nodes/1'));
    const lost = await node.hold(`/nodes/1?wait=true&timeout=1&prev_version=${version + 1000}`);
    node.clock.advance(1500);
    expect([(await lost.response).status, versionOf(await lost.response)]).toEqual([200, version]);
  });

  test('from a moment ahead: held once the node has caught up', async () => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/nodes/1'));
    const held = await node.hold(`/nodes/1?wait=true&prev_version=${version + 1}`);
    await node.write('PUT', '/v1/data/nodes/1/ip', 'seen elsewhere');
    expect(await held.isAnswered()).toBe(false);
    await node.write('PUT', '/v1/data/nodes/1/ip', 'new');
    expect(await held.json()).toMatchObject({ ip: 'new' });
  });
});

describe('a state that is ahead of what was delivered', () => {
  test('what the client has seen does not end its wait when it is delivered later', async () => {
    const node = await openNode();
    node.replica.holdBack();
    node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/nodes/1/ip', 'c']] }]);
    const seen = await node.metadata('/nodes/1?consistency=linearizable');
    const held = await node.hold(`/nodes/1?wait=true&prev_version=${versionOf(seen)}`);
    const fresh = await node.hold('/nodes/1?wait=true');
    node.replica.deliverHeldBack();
    expect(await held.isAnswered()).toBe(false);
    expect(await fresh.isAnswered()).toBe(false);
  });

  test('what it has not seen does: data, rules and mapping', async () => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/nodes/1'));
    node.replica.holdBack();
    node.replica.applyAll([
      { type: 'merge', tree: 'data', leaves: [['/nodes/1/ip', 'c']] },
      { type: 'setRules', rules: [['10.1.0.2', [{ path: '/', mode: 1 }]]] },
      { type: 'merge', tree: 'mapping', leaves: [['/10.1.0.3/x', '/other']] },
    ]);
    const data = await node.hold(`/nodes/1?wait=true&prev_version=${version}`);
    const rules = await node.hold(`/other?wait=true&prev_version=${version}`, { client: '10.1.0.2' });
    const mapping = await node.hold(`/self?wait=true&prev_version=${version}`, { client: '10.1.0.3' });
    const unrelated = await node.hold(`/other?wait=true&prev_version=${version}`);
    node.replica.deliverHeldBack();
    expect(await data.json()).toMatchObject({ ip: 'c' });
    expect(await rules.json()).toBe('x');
    expect(await mapping.json()).toEqual({ x: 'x' });
    expect(await unrelated.isAnswered()).toBe(false);
  });

  test('a path that is closed, and deleted without that having been delivered, is not missed', async () => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/'));
    await node.allow(CLIENT, '/nodes');
    node.replica.holdBack();
    node.replica.applyAll([{ type: 'delete', tree: 'data', paths: ['/other'] }]);
    const response = await node.metadata(`/?wait=true&prev_version=${version}`, { headers: JSON_TYPE });
    expect(await response.json()).toEqual({ nodes: DATA.nodes });
  });

  test('a path that is closed and deleted in one batch is not missed', async () => {
    const node = await openNode();
    const held = await node.hold('/?wait=true');
    node.replica.applyAll([
      { type: 'setRules', rules: [[CLIENT, [{ path: '/nodes', mode: 1 }]]] },
      { type: 'delete', tree: 'data', paths: ['/other'] },
    ]);
    expect(await held.json()).toEqual({ nodes: DATA.nodes });
  });
});

describe('how long a wait lasts', () => {
  test.each([
    ['', 60],
    ['&timeout=', 60],
    ['&timeout=2', 2],
    ['&timeout=0.5', 0.5],
    ['&timeout=999999', 600],
  ])('%s: %d s', async (parameter, seconds) => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/nodes/1'));
    const found = await node.hold(`/nodes/1?wait=true${parameter}`);
    const missing = await node.hold(`/none?wait=true${parameter}`, { method: 'HEAD' });
    node.clock.advance(seconds * 1000 - 200);
    expect(await found.isAnswered()).toBe(false);
    node.clock.advance(400);
    const responses = await Promise.all([found.response, missing.response]);
    expect(responses.map((response) => [response.status, versionOf(response)])).toEqual([
      [200, version],
      [404, version],
    ]);
    expect(node.clock.timerCount).toBe(0);
  });

  test('until the client goes', async () => {
    const node = await openNode();
    const controller = new AbortController();
    await node.hold('/nodes/1?wait=true', { signal: controller.signal });
    const other = await node.hold('/nodes/1?wait=true');
    controller.abort();
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(1));
    expect(await other.isAnswered()).toBe(false);
    await node.write('PUT', '/v1/data/nodes/1/ip', 'c');
    expect((await other.response).status).toBe(200);
  });

  test('until the node stops: then nothing is held any more, but plain reads go on', async () => {
    const node = await openNode();
    const held = await node.hold('/nodes/1?wait=true');
    const behind = await node.hold('/nodes/1?min_version=1000');
    node.apps.stop();
    for (const response of [
      await held.response,
      await behind.response,
      await node.metadata('/nodes/1?wait=true'),
    ]) {
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    }
    expect([node.apps.waiters(), node.replica.listenerCount, node.clock.timerCount]).toEqual([0, 0, 0]);
    // Written at another node: nobody tells this one any more.
    node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/nodes/1/ip', 'late']] }]);
    expect(await node.json('/nodes/1/ip')).toBe('late');
    node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/nodes/1/ip', 'later']] }]);
    expect(await node.json('/nodes/1/ip')).toBe('later');
    await node.allow(CLIENT, '/other');
    expect(await node.json('/nodes/1/ip')).toEqual(NOT_FOUND);
  });

  test('no longer than there is room: one more is refused', async () => {
    const node = await openNode({ maxWaiters: 2 });
    await node.hold('/nodes/1?wait=true');
    await node.hold('/nodes/1?wait=true');
    const refused = await node.metadata('/nodes/1?wait=true');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await node.metadata('/nodes/1')).status).toBe(200);
  });
});

test('a change costs by its depth, not by who waits elsewhere', async () => {
  const node = await openNode({ maxWaiters: 5000 });
  await node.write(
    'POST',
    '/v1/rule',
    Object.fromEntries(
      Array.from({ length: 2000 }, (_, i) => [
        `10.2.${i >> 8}.${i & 255}`,
        [{ path: `/hosts/${i}`, mode: 1 }],
      ]),
    ),
  );
  const pending = Array.from({ length: 2000 }, (_, i) =>
    node.metadata('/?wait=true', { client: `10.2.${i >> 8}.${i & 255}`, headers: JSON_TYPE }),
  );
  await vi.waitFor(() => expect(node.apps.waiters()).toBe(2000));
  await node.write('PUT', '/v1/data/hosts/7/x', '1');
  expect(await (await pending[7])?.json()).toEqual({ hosts: { 7: { x: '1' } } });
  await settle();
  expect(node.apps.waiters()).toBe(1999);
});

describe('data, rules and mapping that change in one version', () => {
  const close = { type: 'setRules', rules: [[CLIENT, [{ path: '/nodes', mode: 1 }]]] } as const;
  const drop = { type: 'delete', tree: 'data', paths: ['/other'] } as const;

  test.each([
    ['closed, then deleted', [close, drop]],
    ['deleted, then closed', [drop, close]],
  ])('what is %s is not missed', async (_name, operations) => {
    const node = await openNode();
    const version = versionOf(await node.metadata('/'));
    const held = await node.hold('/?wait=true');
    const leaf = await node.hold('/other?wait=true');
    const elsewhere = await node.hold('/nodes?wait=true');
    node.replica.applyAll([writeOf(operations)]);
    expect(await held.json()).toEqual({ nodes: DATA.nodes });
    expect(await leaf.json()).toEqual(NOT_FOUND);
    expect(await elsewhere.isAnswered()).toBe(false);
    const late = await node.metadata(`/?wait=true&prev_version=${version}`, { headers: JSON_TYPE });
    expect(await late.json()).toEqual({ nodes: DATA.nodes });
  });

  test('what is opened and created is not missed', async () => {
    const node = await openNode();
    await node.allow(CLIENT, '/nodes');
    const held = await node.hold('/new?wait=true');
    const open = { type: 'setRules', rules: [[CLIENT, [{ path: '/new', mode: 1 }]]] } as const;
    const create = { type: 'merge', tree: 'data', leaves: [['/new', '1']] } as const;
    node.replica.applyAll([writeOf([open, create])]);
    expect(await held.json()).toBe('1');
  });

  test.each([
    ['where nothing was', '/new', []],
    ['beside what showed and still shows', '/', [{ path: '/other', mode: 1 }]],
  ] as const)('what is created and closed %s ends no wait, now or later', async (_name, path, more) => {
    const node = await openNode();
    await node.write('PUT', '/v1/rule', { [CLIENT]: [{ path: '/new', mode: 1 }, ...more] });
    const version = versionOf(await node.metadata(path));
    const held = await node.hold(`${path}?wait=true&timeout=600`);
    const shut = { type: 'setRules', rules: [[CLIENT, more]] } as const;
    const create = { type: 'merge', tree: 'data', leaves: [['/new/secret', '1']] } as const;
    node.replica.applyAll([writeOf([create, shut])]);
    await node.write('PUT', '/v1/data/new/secret', '2');
    expect(await held.isAnswered()).toBe(false);
    const late = await node.hold(`${path}?wait=true&timeout=600&prev_version=${version}`);
    expect(await late.isAnswered()).toBe(false);
    await node.allow(CLIENT, '/new/secret', ...more.map((rule) => rule.path));
    expect(JSON.stringify([await held.json(), await late.json()])).toMatch(/"2".*"2"/);
  });
});

test('a hidden change costs the same, however many wait who see alike', async () => {
  const node = await openNode({ maxWaiters: 5000 });
  // With mappings of their own: what shows at a path outside of /self does not depend on them.
  const rules = [
    { path: '/nodes', mode: 1 },
    { path: '/nodes/secret', mode: 0 },
  ];
  const clients = Array.from({ length: 1000 }, (_, i) => `10.3.${i >> 8}.${i & 255}`);
  await node.write('POST', '/v1/rule', Object.fromEntries(clients.map((client) => [client, rules])));
  await node.write(
    'POST',
    '/v1/mapping',
    Object.fromEntries(clients.map((client, i) => [client, { n: `/nodes/${i}` }])),
  );
  const allows = vi.spyOn(Access.prototype, 'allows');
  const asked = async (waiters: number): Promise<number> => {
    for (const client of clients.slice(0, waiters)) void node.metadata('/nodes?wait=true', { client });
    await vi.waitFor(() => expect(node.apps.waiters()).toBeGreaterThanOrEqual(waiters));
    allows.mockClear();
    await node.write('PUT', '/v1/data/nodes/secret', String(waiters));
    return allows.mock.calls.length;
  };
  const few = await asked(10);
  expect([await asked(1000), node.apps.waiters()]).toEqual([few, 1010]);
  allows.mockRestore();
});

test('one change of rules is looked up once for a client that waits very often for the same', async () => {
  const node = await openNode({ maxWaiters: 5000 });
  for (let i = 0; i < 500; i += 1) void node.metadata(`/nodes/${1 + (i % 2)}?wait=true`);
  await vi.waitFor(() => expect(node.apps.waiters()).toBe(500));
  const reads = vi.spyOn(node.replica.state, 'read');
  await node.allow(CLIENT, '/nodes');
  expect(reads.mock.calls.length).toBeLessThan(10);
  await settle();
  expect(node.apps.waiters()).toBe(500);
  await node.allow(CLIENT, '/nodes/2');
  await vi.waitFor(() => expect(node.apps.waiters()).toBe(250));
});

test('who comes back with an old version is not held up by all that changed elsewhere', async () => {
  const node = await openNode();
  const version = versionOf(await node.metadata('/nodes/1'));
  for (let i = 0; i < 200; i += 1) await node.write('PUT', '/v1/data/other', String(i));
  const allows = vi.spyOn(Access.prototype, 'allows');
  const held = await node.hold(`/nodes/1?wait=true&prev_version=${version}`);
  expect(allows.mock.calls.length).toBeLessThan(5);
  allows.mockRestore();
  await node.write('PUT', '/v1/data/nodes/1/ip', 'c');
  expect(await held.json()).toMatchObject({ ip: 'c' });
});
