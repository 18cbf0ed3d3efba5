import { StateView } from '@metad/kv-store';
import { expect, onTestFinished, test, vi } from 'vitest';
import { JSON_TYPE, TestNode } from './test-node.ts';

const HOSTS = Array.from({ length: 3000 }, (_, i) => `10.2.${i >> 8}.${i & 255}`);
const RULES = [
  { path: '/a', mode: 1 },
  { path: '/a/b', mode: 0 },
];
const MANY = Object.fromEntries(HOSTS.map((host) => [host, RULES]));

const get = (node: TestNode, target: string, accept = JSON_TYPE.accept): Promise<Response> =>
  node.manage('GET', target, undefined, { headers: { accept } });

test('the rules of many are answered in steps, and leave their turn to others', async () => {
  const node = new TestNode();
  await node.write('PUT', '/v1/rule', MANY);
  let isDone = false;
  const answer = get(node, '/v1/rule').finally(() => {
    isDone = true;
  });
  let turns = 0;
  for (; !isDone; turns += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    await node.allow('10.9.9.9', `/later${turns}`);
  }
  // 18,000 leaves' worth of reading, and half as much of rendering, in steps of 512.
  expect(turns).toBeGreaterThan(40);
  const shown = await (await answer).json();
  expect(shown).toEqual(MANY);
});

test('as text they are in the order of all lines', async () => {
  const node = new TestNode();
  await node.write('PUT', '/v1/rule', {
    ...MANY,
    '::1': RULES,
    '::1:2': RULES,
    '10.2.0.1': Array.from({ length: 12 }, (_, i) => ({ path: `/${i}`, mode: 1 })),
  });
  const lines = (await (await get(node, '/v1/rule', 'text/plain')).text()).trimEnd().split('\n');
  const paths = lines.map((line) => line.split('\t')[0] ?? '');
  expect(paths).toHaveLength(2 * (2 * (HOSTS.length + 1) + 12));
  expect(paths).toEqual(paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
});

test('more than fit in one answer are 413; a host without any counts as one', async () => {
  const node = new TestNode({ maxLeaves: 5 });
  await node.write('PUT', '/v1/rule', { '10.1.0.1': RULES, '10.1.0.2': RULES, '10.1.0.3': [] });
  expect((await get(node, '/v1/rule')).status).toBe(200);
  await node.write('PUT', '/v1/rule', { '10.1.0.4': [] });
  const refused = await get(node, '/v1/rule');
  const message = 'this is more than 5 rules or 64 MiB: name the clients that you want, with hosts=IP,IP';
  expect([refused.status, await refused.json()]).toEqual([413, { code: 413, message, type: 'ERROR' }]);
  const named = await get(node, '/v1/rule?hosts=10.1.0.4,10.1.0.1');
  expect(await named.json()).toEqual({ '10.1.0.1': RULES, '10.1.0.4': [] });
});

test('of named hosts only their rules are read', async () => {
  const node = new TestNode();
  await node.write('PUT', '/v1/rule', MANY);
  const all = vi.spyOn(StateView.prototype, 'rulesPage');
  const one = vi.spyOn(StateView.prototype, 'rules');
  onTestFinished(() => {
    all.mockRestore();
    one.mockRestore();
  });
  const response = await get(node, '/v1/rule?hosts=10.2.1.7,::1,10.2.0.9');
  expect(Object.keys(Object(await response.json()))).toEqual(['10.2.0.9', '10.2.1.7']);
  expect([all.mock.calls.length, one.mock.calls.length]).toEqual([0, 3]);
});

test('of all hosts the rules are read a page at a time, each host once', async () => {
  const node = new TestNode();
  const hosts = Array.from({ length: 100 }, (_, i) => `10.3.0.${i + 1}`);
  await node.write('PUT', '/v1/rule', Object.fromEntries(hosts.map((host) => [host, RULES])));
  const page = vi.spyOn(StateView.prototype, 'rulesPage');
  onTestFinished(() => page.mockRestore());
  const found = await (await get(node, '/v1/rule')).json();
  expect(new Set(Object.keys(Object(found)))).toEqual(new Set(hosts));
  expect(page.mock.calls.length).toBeGreaterThan(2);
});
