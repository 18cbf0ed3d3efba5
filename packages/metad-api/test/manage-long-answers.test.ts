import { type Leaf, writeOf } from '@metad/kv-store';
import { describe, expect, test } from 'vitest';
import { sorted } from '../src/merge-sort.ts';
import { compareUtf8 } from '../src/render/utf8-order.ts';
import { finish } from '../src/steps.ts';
import { Cursors, MANY, manyLeaves, writeMany } from './large-tree.ts';
import { JSON_TYPE, TestNode, versionOf } from './test-node.ts';

const CLIENT = '10.1.0.1';

/** A node with a large tree of which every leaf has changed, a few have gone, and a few have come. */
async function changedNode(): Promise<TestNode> {
  const node = new TestNode();
  await node.write('PUT', '/v1/data/small', 'x');
  writeMany(node, '/big', 'first');
  writeMany(node, '/big', 'second');
  await node.write('DELETE', '/v1/data/big/a0');
  await node.write('PUT', '/v1/data/big/a0', { new: 'x' });
  await node.allow(CLIENT, '/');
  return node;
}

/** In `minTurns` not all of it could be read, as no more than 512 of 6000 leaves, or of their changes, are looked at in one. */
const TARGETS = [
  { what: 'an earlier version', target: '/v1/data/big?version=2', minTurns: 80 },
  { what: 'a difference', target: '/v1/diff?from=2&path=/big&limit=10', minTurns: 80 },
  { what: 'a page of the history', target: '/v1/history/big?before=3', minTurns: 30 },
  { what: 'an explanation', target: `/v1/explain?ip=${CLIENT}&path=/big`, minTurns: 10 },
];

describe.each(TARGETS)('$what of much', ({ target, minTurns }) => {
  const ask = (node: TestNode) => node.manage('GET', target, undefined, { headers: JSON_TYPE });

  test('leaves their turn to all others, and is of one version', async () => {
    const node = await changedNode();
    const cursors = new Cursors(node);
    const before = await (await ask(node)).text();
    let isDone = false;
    const answer = ask(node).finally(() => {
      isDone = true;
    });
    let turns = 0;
    for (; !isDone; turns += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      expect((await node.metadata('/small')).status).toBe(200);
      writeMany(node, `/big/later${turns}`, 'x', 10);
    }
    expect(turns).toBeGreaterThan(minTurns);
    expect(await (await answer).text()).toBe(before);
    expect(cursors).toMatchObject({ opened: 2, open: 0 });
  });
});

describe('an earlier version', () => {
  test.each(['text/plain', 'application/json', 'application/yaml'])(
    'of a large tree is what was answered then, as %s',
    async (accept) => {
      const node = await changedNode();
      const then = new TestNode();
      writeMany(then, '/big', 'first');
      const sent = { headers: { accept } };
      const past = await node.manage('GET', '/v1/data/big?version=2', undefined, sent);
      expect(versionOf(past)).toBe(2);
      const expected = await then.manage('GET', '/v1/data/big', undefined, sent);
      expect(await past.text()).toBe(await expected.text());
    },
  );

  test('is told from the one that the client has only once it is there', async () => {
    const node = await changedNode();
    const ask = (target: string, tag: string) =>
      node.manage('GET', target, undefined, { headers: { ...JSON_TYPE, 'If-None-Match': tag } });
    expect((await ask('/v1/data/big?version=2', '"2.json"')).status).toBe(304);
    expect((await ask('/v1/data/big?version=2', '*')).status).toBe(304);
    const [held, other] = await Promise.all(
      ['"2.json"', '"1.json"'].map((tag) => ask('/v1/data/big?version=2', tag)),
    );
    expect([held?.status, other?.status]).toEqual([304, 200]);
    const missing = await ask('/v1/data/big?version=1', '*');
    expect([missing.status, versionOf(missing)]).toEqual([404, 1]);
  });

  test('that held more than one answer does is refused, however little is there now', async () => {
    const node = new TestNode({ maxLeaves: 1000 });
    writeMany(node, '/big', 'x', 1000);
    writeMany(node, '/big/more', 'x', 1);
    await node.write('DELETE', '/v1/data/big');
    expect((await node.manage('GET', '/v1/data/big?version=1')).status).toBe(200);
    const refused = await node.manage('GET', '/v1/data/big?version=2');
    expect([refused.status, versionOf(refused)]).toEqual([413, 3]);
    expect(await refused.text()).toContain('ask for a path in it');
  });
});

test('an explanation and a difference are no longer than a few values, and say so', async () => {
  const node = new TestNode();
  await node.allow(CLIENT, '/');
  const fill = (from: number, to: number) => {
    const value = 'x'.repeat(1024 * 1024);
    for (let i = from; i < to; i += 1) {
      const leaves: Leaf[] = [[`/large/n${i}`, value]];
      node.replica.applyAll([{ ...writeOf([{ type: 'merge', tree: 'data', leaves }]), time: 1 }]);
    }
  };
  fill(0, 64);
  const get = async (target: string) =>
    (await node.manage('GET', target, undefined, { headers: JSON_TYPE })).json();
  const explain = () => get(`/v1/explain?ip=${CLIENT}&path=/large`);
  const { answer } = (await explain()) as { answer: { document: object } };
  expect(answer).toMatchObject({ status: 200, truncated: true });
  expect(Object.keys(answer.document)).toHaveLength(4);
  const { changes, ...diff } = (await get('/v1/diff?from=1')) as { changes: unknown[] };
  expect([changes.length, diff]).toEqual([4, { from: 1, to: 65, truncated: true }]);
  // More than the metadata API answers.
  fill(64, 65);
  expect((await node.metadata('/large')).status).toBe(413);
  expect(await explain()).toMatchObject({ answer: { status: 413, document: null } });
});

test('what is sorted in steps is what is sorted at once', () => {
  const leaves = manyLeaves('x');
  const compare = ([a]: Leaf, [b]: Leaf) => compareUtf8(a, b);
  expect(finish(sorted(leaves, compare))).toEqual([...leaves].sort(compare));
  const sorting = sorted(leaves, compare);
  let steps = 1;
  while (!sorting.next().done) steps += 1;
  expect(steps).toBeGreaterThan(MANY / 512);
  const inOrder = [...leaves].sort(compare);
  expect(finish(sorted(inOrder, compare))).toBe(inOrder);
});
