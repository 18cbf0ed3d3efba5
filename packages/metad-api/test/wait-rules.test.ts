import { StateView } from '@metad/kv-store';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Held, JSON_TYPE, NOT_FOUND, settle, TestNode } from './test-node.ts';

const HOSTS = Array.from({ length: 100 }, (_, i) => `10.2.0.${i + 1}`);
const LEAVES = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, `${i}`]));

/** `/nodes`, and a rule that is each host's own, so that no two of them share a profile. */
function rulesOf(...more: readonly { path: string; mode: number }[]) {
  return Object.fromEntries(
    HOSTS.map((host) => [host, [{ path: '/nodes', mode: 1 }, { path: `/own/${host}`, mode: 1 }, ...more]]),
  );
}

async function openNode(): Promise<TestNode> {
  const node = new TestNode();
  await node.write('PUT', '/v1/data', { nodes: LEAVES, other: 'x', none: { a: '1' } });
  await node.write('PUT', '/v1/rule', rulesOf());
  return node;
}

/** One wait of each host. */
async function holdAll(node: TestNode, path = '/nodes?wait=true&timeout=600'): Promise<readonly Held[]> {
  const before = node.apps.waiters();
  const held = HOSTS.map((client) => new Held(node.metadata(path, { client, headers: JSON_TYPE })));
  await vi.waitFor(() => expect(node.apps.waiters()).toBe(before + HOSTS.length));
  return held;
}

const countAnswered = async (held: readonly Held[]): Promise<number> =>
  (await Promise.all(held.map((one) => one.isAnswered()))).filter(Boolean).length;

/** Counts how many profiles are read in each turn, until nothing is left to decide. */
async function profilesByTurn(write: () => Promise<unknown>): Promise<readonly number[]> {
  const rules = vi.spyOn(StateView.prototype, 'rules');
  onTestFinished(() => rules.mockRestore());
  await write();
  const turns: number[] = [];
  let total = 0;
  do {
    turns.push(rules.mock.calls.length - total);
    total = rules.mock.calls.length;
    await new Promise((resolve) => setImmediate(resolve));
  } while (total < HOSTS.length);
  return turns;
}

describe('one write of rules that concerns all who wait', () => {
  test('is compared a few hosts at a time, and what shows the same ends no wait', async () => {
    const node = await openNode();
    const held = await holdAll(node);
    const turns = await profilesByTurn(() =>
      node.write('PUT', '/v1/rule', rulesOf({ path: '/none', mode: 0 })),
    );
    // 200 leaves before and after are most of a step.
    expect(Math.max(...turns)).toBeLessThanOrEqual(2);
    expect(turns.reduce((sum, count) => sum + count, 0)).toBe(HOSTS.length);
    expect(await countAnswered(held)).toBe(0);
    await node.write('PUT', '/v1/data/nodes/k0', 'new');
    expect(await held.at(-1)?.json()).toMatchObject({ k0: 'new' });
    await Promise.all(held.map(({ response }) => response));
  });

  test('is compared once for all who lose and gain the same', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data', { nodes: LEAVES });
    const rules = (list: object[]) => Object.fromEntries(HOSTS.map((host) => [host, list]));
    await node.write('PUT', '/v1/rule', rules([{ path: '/nodes', mode: 1 }]));
    const held = await holdAll(node);
    const pages = vi.spyOn(StateView.prototype, 'leavesPage');
    onTestFinished(() => pages.mockRestore());
    const list = [{ path: '/nodes', mode: 1 }, { path: '/none' }];
    const turns = await profilesByTurn(() => node.write('PUT', '/v1/rule', rules(list)));
    expect(Math.max(...turns)).toBeLessThan(HOSTS.length / 2);
    const data = pages.mock.calls.filter(([tree]) => tree === 'data');
    // Both reads of 200 leaves take a few pages, in each of the turns.
    expect(data.length).toBeLessThanOrEqual(turns.length * 10);
    expect(await countAnswered(held)).toBe(0);
  });

  test('ends the waits of those to whom it shows', async () => {
    const node = await openNode();
    const held = await holdAll(node);
    await node.write('PUT', '/v1/rule', rulesOf({ path: '/nodes/k1', mode: 0 }));
    const { k1, ...rest } = LEAVES;
    expect(k1).toBe('1');
    for (const one of held) expect(await one.json()).toEqual(rest);
  });
});

describe('while it is compared', () => {
  const harmless = rulesOf({ path: '/none', mode: 0 });

  test('a change that shows is missed by nobody, and one that does not ends no wait', async () => {
    const node = await openNode();
    const held = await holdAll(node);
    await node.write('PUT', '/v1/rule', harmless);
    await node.write('PUT', '/v1/data/other', 'hidden');
    await node.write('PUT', '/v1/data/none', { b: '2' });
    for (let turn = 0; turn < 2 * HOSTS.length; turn += 1) await settle();
    expect(await countAnswered(held)).toBe(0);
    await node.write('PUT', '/v1/rule', rulesOf());
    await node.write('PUT', '/v1/data/nodes/k5', 'new');
    for (const one of held) expect(await one.json()).toMatchObject({ k5: 'new' });
    expect([node.apps.waiters(), node.clock.timerCount]).toEqual([0, 0]);
  });

  test('what comes where the new rules no longer look ends no wait', async () => {
    const node = await openNode();
    await node.write('PUT', '/v1/rule', rulesOf({ path: '/later', mode: 1 }));
    const held = await holdAll(node, '/?wait=true&timeout=600');
    await node.write('PUT', '/v1/rule', rulesOf());
    await node.write('PUT', '/v1/data/later/secret', '1');
    await node.write('DELETE', '/v1/data/later/secret');
    for (let turn = 0; turn < 2 * HOSTS.length; turn += 1) await settle();
    expect(await countAnswered(held)).toBe(0);
    expect(node.apps.waiters()).toBe(HOSTS.length);
  });

  test('rules that change once more, or a replaced state, are seen', async () => {
    const node = await openNode();
    const held = await holdAll(node);
    await node.write('PUT', '/v1/rule', harmless);
    await node.write('PUT', '/v1/rule', Object.fromEntries(HOSTS.map((host) => [host, []])));
    for (const one of held) expect(await one.json()).toEqual(NOT_FOUND);
    await node.write('PUT', '/v1/rule', rulesOf());
    const again = await holdAll(node);
    await node.write('PUT', '/v1/rule', harmless);
    const batch = node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/other', 'hidden']] }]);
    node.replica.deliver({ ...batch, changes: [{ type: 'reset', version: batch.version }] });
    for (const one of again) expect((await one.response).status).toBe(200);
  });

  test('waits run into their time-out, and end with the node', async () => {
    const node = await openNode();
    const short = await holdAll(node, '/nodes?wait=true&timeout=5');
    const long = await holdAll(node);
    await node.write('PUT', '/v1/rule', harmless);
    node.clock.advance(6000);
    for (const one of short) expect(await one.json()).toEqual(LEAVES);
    await node.write('PUT', '/v1/rule', rulesOf());
    node.apps.stop();
    for (const one of long) expect((await one.response).status).toBe(503);
    expect([node.apps.waiters(), node.clock.timerCount]).toEqual([0, 0]);
  });

  test('nothing is decided by a state that is ahead of what was delivered', async () => {
    const node = await openNode();
    const held = await holdAll(node);
    await node.write('PUT', '/v1/rule', harmless);
    node.replica.holdBack();
    node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/other', 'hidden']] }]);
    for (let turn = 0; turn < HOSTS.length; turn += 1) await settle();
    expect(await countAnswered(held)).toBe(0);
    node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/nodes/k7', 'new']] }]);
    node.replica.deliverHeldBack();
    for (const one of held) expect(await one.json()).toMatchObject({ k7: 'new' });
  });
});
