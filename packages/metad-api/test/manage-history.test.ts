import type { ContentCommand, Leaf } from '@metad/kv-store';
import { writeOf } from '@metad/kv-store';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cursors } from './large-tree.ts';
import { JSON_TYPE, settle, TestNode } from './test-node.ts';

async function get(node: TestNode, path: string): Promise<[number, unknown]> {
  const response = await node.manage('GET', path, undefined, { headers: JSON_TYPE });
  return [response.status, await response.json()];
}

interface Changed {
  readonly kind: string;
  readonly path: string;
  readonly before: unknown;
  readonly after?: unknown;
}

interface Entry {
  readonly version: number;
  readonly time: string;
  readonly author: string;
  readonly changed: readonly Changed[] | null;
}

interface History {
  readonly from: number;
  readonly changes: readonly Entry[];
  readonly next: number | null;
}

async function history(node: TestNode, target: string): Promise<History> {
  const [status, document] = await get(node, target);
  expect(status).toBe(200);
  return document as History;
}

/** Page by page until the end. */
async function wholeHistory(node: TestNode, target: string, limit: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  let before = '';
  for (;;) {
    const page = await history(node, `${target}?limit=${limit}${before}`);
    entries.push(...page.changes);
    expect(page.changes.length).toBeLessThanOrEqual(limit);
    if (page.next === null) return entries;
    before = `&before=${page.next}`;
  }
}

describe('history', () => {
  test('says who changed what, from what to what, newest first', async () => {
    const node = new TestNode();
    node.replica.now = Date.UTC(2030, 0, 1);
    await node.manage('PUT', '/v1/data/a', { x: '1' }, { headers: { 'X-Metad-Author': 'deploy' } });
    await node.write('POST', '/v1/data/a', '2');
    await node.write('PUT', '/v1/rule', { '10.1.0.1': [{ path: '/a', mode: 1 }] });
    await node.write('PUT', '/v1/mapping', { '10.1.0.1': { node: '/a' } });
    await node.write('DELETE', '/v1/rule?hosts=10.1.0.1');
    const rules = [{ path: '/a', mode: 1 }];
    const author = '127.0.0.1';
    const changes = [
      { kind: 'rule', path: '10.1.0.1', before: rules, after: null },
      { kind: 'mapping', path: '/10.1.0.1/node', before: null, after: '/a' },
      { kind: 'rule', path: '10.1.0.1', before: null, after: rules },
    ];
    expect(await history(node, '/v1/history')).toEqual({
      from: 0,
      changes: [
        { version: 5, time: '2030-01-01T00:00:00.004Z', author, changed: [changes[0]] },
        { version: 4, time: '2030-01-01T00:00:00.003Z', author, changed: [changes[1]] },
        { version: 3, time: '2030-01-01T00:00:00.002Z', author, changed: [changes[2]] },
        {
          version: 2,
          time: '2030-01-01T00:00:00.001Z',
          author,
          changed: expect.arrayContaining([
            { kind: 'data', path: '/a', before: null, after: '2' },
            { kind: 'data', path: '/a/x', before: '1', after: null },
          ]),
        },
        {
          version: 1,
          time: '2030-01-01T00:00:00.000Z',
          author: 'deploy (127.0.0.1)',
          changed: [{ kind: 'data', path: '/a/x', before: null, after: '1' }],
        },
      ],
      next: null,
    });
    const versions = async (target: string) =>
      (await history(node, target)).changes.map((entry) => entry.version);
    expect(await versions('/v1/history/a')).toEqual([2, 1]);
    expect(await versions('/v1/history/a/x')).toEqual([2, 1]);
    expect(await versions('/v1/history/none')).toEqual([]);
    expect(await versions('/v1/history/?tree=data')).toEqual([2, 1]);
    expect(await versions('/v1/history?tree=mapping')).toEqual([4]);
    expect(await versions('/v1/history/::ffff:10.1.0.1?tree=mapping')).toEqual([4]);
    expect(await versions('/v1/history/10.1.0.1?tree=rule')).toEqual([5, 3]);
    expect(await versions('/v1/history/10.1.0.2?tree=rule')).toEqual([]);
    expect(await versions('/v1/history?before=4&limit=2')).toEqual([3, 2]);
    expect(await versions('/v1/history?before=99')).toEqual([5, 4, 3, 2, 1]);
    expect(await versions('/v1/history?before=1')).toEqual([]);
  });

  test.each(['limit=0', 'before=x', 'tree=rules', 'tree=mapping', 'tree=rule'])(
    '%s is refused',
    async (query) => {
      expect((await get(new TestNode(), `/v1/history/a?${query}`))[0]).toBe(400);
    },
  );

  test('a change that was too large to keep is there without what it changed', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data', { a: '1', b: '1' });
    await node.write('PUT', '/v1/data', { a: '2', b: 'x'.repeat(1024 * 1024) });
    await node.write('PUT', '/v1/data/big', 'y'.repeat(1024 * 1024));
    await node.write('DELETE', '/v1/data');
    await node.write('PUT', '/v1/data/a', '3');
    const { changes } = await history(node, '/v1/history/a');
    expect(changes.map(({ version, changed }) => [version, changed])).toEqual([
      [5, [{ kind: 'data', path: '/a', before: null, after: '3' }]],
      [4, null],
      // What it made is what the lost change replaced.
      [2, [{ kind: 'data', path: '/a', before: '1' }]],
      [1, [{ kind: 'data', path: '/a', before: null, after: '1' }]],
    ]);
    const older = await history(node, '/v1/history/a?before=4');
    expect(older.changes).toEqual(changes.slice(2));
    expect(await get(node, '/v1/data?version=3')).toMatchObject([
      410,
      { message: expect.stringContaining('the oldest that can be asked for is 4') },
    ]);
    expect(await get(node, '/v1/data?version=4')).toEqual([200, {}]);
  });
});

const name = fc.constantFrom('a', 'b', 'a-b', 'a0');
const path = fc.array(name, { maxLength: 3 }).map((names) => `/${names.join('/')}`);
const leafPath = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`);
const value = fc.constantFrom('1', '2', '3');
const leaves = fc.array(fc.tuple(leafPath, value), { maxLength: 3 });
const operation: fc.Arbitrary<ContentCommand> = fc.oneof(
  fc.record({ type: fc.constant('merge' as const), tree: fc.constant('data' as const), leaves }),
  fc.tuple(leafPath, leaves).map(
    ([at, below]): ContentCommand => ({
      type: 'replace',
      tree: 'data',
      path: at,
      leaves: below.map(([leaf, text]): Leaf => [at + leaf, text]),
    }),
  ),
  fc.record({
    type: fc.constant('delete' as const),
    tree: fc.constant('data' as const),
    paths: fc.array(path, { maxLength: 2 }),
  }),
);
const operations = fc.array(fc.array(operation, { minLength: 1, maxLength: 2 }), {
  minLength: 1,
  maxLength: 15,
});

/** Own values, hidden ones too, at each version. */
function snapshots(node: TestNode, writes: readonly (readonly ContentCommand[])[]) {
  const look = () =>
    node.replica.state.read((view) => ({
      values: new Map(view.values('data', { after: null, limit: 10_000 })),
      shownAt: new Map(ASKED.map((at) => [at, view.leaves('data', at)])),
    }));
  const byVersion = new Map([[0, look()]]);
  for (const operations of writes) {
    const batch = node.replica.applyAll([{ ...writeOf(operations), time: 1 }]);
    if (!byVersion.has(batch.version)) byVersion.set(batch.version, look());
  }
  return byVersion;
}

const ASKED = ['/', '/a', '/b', '/a/b', '/a-b/a', '/a/a/a'];

test('any version of any path reads as it read then', async () => {
  await fc.assert(
    fc.asyncProperty(operations, async (writes) => {
      const node = new TestNode();
      const seen = snapshots(node, writes);
      for (const [at, { shownAt }] of seen) {
        for (const [asked, expected] of shownAt) {
          const target = `/v1/data${asked}?version=${at}`;
          const response = await node.manage('GET', target, undefined, { headers: { accept: 'text/plain' } });
          const isLeaf = expected[0]?.[0] === asked;
          const lines = expected.map(
            ([leaf, text]) => `${asked === '/' ? leaf : leaf.slice(asked.length)}\t${text}\n`,
          );
          const body = isLeaf
            ? expected[0]?.[1]
            : expected.length === 0 && asked !== '/'
              ? 'Not found\n'
              : lines.join('');
          expect([target, await response.text()]).toEqual([target, body]);
          expect(response.headers.get('x-metad-version')).toBe(String(at));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('a version that is reached soon is waited for, one that is not is refused', async () => {
  const node = new TestNode();
  await node.write('PUT', '/v1/data/a', '1');
  const waiting = get(node, '/v1/data/a?version=2&consistency=local');
  const comparing = get(node, '/v1/diff?from=1&to=2&consistency=local');
  await node.write('PUT', '/v1/data/a', '2');
  expect(await waiting).toEqual([200, '2']);
  expect(await comparing).toMatchObject([200, { changes: [{ before: '1', after: '2' }] }]);
  const tooNew = get(node, '/v1/data/a?version=9&consistency=local');
  await new Promise((resolve) => setImmediate(resolve));
  node.clock.advance(60_000);
  expect((await tooNew)[0]).toBe(503);
});

test('a version that a linearizable read finds to be none is refused at once', async () => {
  const node = new TestNode();
  await node.write('PUT', '/v1/data/a', '1');
  for (const query of ['data/a?version=2', 'diff?from=1&to=2', 'data?min_version=2', 'rule?min_version=2']) {
    // The clock stands still.
    expect(await get(node, `/v1/${query}`)).toEqual([
      503,
      { code: 503, type: 'ERROR', message: 'there is no version 2 yet: the newest is 1' },
    ]);
  }
});

test('mappings have a past, too', async () => {
  const node = new TestNode();
  await node.write('PUT', '/v1/mapping', { '10.1.0.1': { node: '/a' } });
  await node.write('POST', '/v1/mapping/10.1.0.1', { node: '/b', more: '/c' });
  expect(await get(node, '/v1/mapping/10.1.0.1?version=1')).toEqual([200, { node: '/a' }]);
  expect(await get(node, '/v1/mapping/10.1.0.1?version=0')).toMatchObject([404, {}]);
});

test('the pages of the history tell every change, with what it replaced and made', async () => {
  await fc.assert(
    fc.asyncProperty(
      operations,
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      async (writes, limit, isWhole) => {
        const node = new TestNode();
        const seen = snapshots(node, writes);
        const at = isWhole ? '' : '/a';
        const entries = await wholeHistory(node, `/v1/history${at}`, limit);
        const versions = [...seen.keys()].filter((number) => number > 0);
        const expected = versions.reverse().flatMap((number) => {
          const before = seen.get(number - 1)?.values ?? new Map<string, string>();
          const after = seen.get(number)?.values ?? new Map<string, string>();
          const changed = [...new Set([...before.keys(), ...after.keys()])]
            .filter((path) => before.get(path) !== after.get(path))
            .filter((path) => isWhole || path === at || path.startsWith(`${at}/`))
            .map((path) => ({
              kind: 'data',
              path,
              before: before.get(path) ?? null,
              after: after.get(path) ?? null,
            }));
          return changed.length === 0 ? [] : [{ version: number, changed: changed.sort(byPath) }];
        });
        const told = entries.map(({ version, changed }) => ({
          version,
          changed: [...(changed ?? [])].sort(byPath),
        }));
        expect(told).toEqual(expected);
      },
    ),
    { numRuns: 60 },
  );
});

test('a difference is what two versions do not have in common', async () => {
  await fc.assert(
    fc.asyncProperty(operations, fc.nat(), fc.nat(), async (writes, one, other) => {
      const node = new TestNode();
      const seen = snapshots(node, writes);
      const newest = seen.size - 1;
      const [from = 0, to = 0] = [one % seen.size, other % seen.size].sort((a, b) => a - b);
      const before = seen.get(from)?.values ?? new Map<string, string>();
      const after = seen.get(to)?.values ?? new Map<string, string>();
      const paths = [...new Set([...before.keys(), ...after.keys()])];
      const changes = paths
        .filter((path) => before.get(path) !== after.get(path))
        .map((path) => ({
          kind: 'data',
          path,
          before: before.get(path) ?? null,
          after: after.get(path) ?? null,
        }));
      const [status, document] = await get(node, `/v1/diff?from=${from}${to === newest ? '' : `&to=${to}`}`);
      expect([status, document]).toEqual([
        200,
        { from, to, changes: expect.toSatisfy((listed) => sameChanges(listed, changes)), truncated: false },
      ]);
    }),
    { numRuns: 60 },
  );
});

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : 1;
}

function sameChanges(listed: Changed[], expected: Changed[]): boolean {
  expect([...listed].sort(byPath)).toEqual([...expected].sort(byPath));
  return true;
}

describe('differences', () => {
  test('of data, mappings and rules, cut to a limit', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data', { a: '1', b: '1' });
    await node.write('PUT', '/v1/data', { a: '2', b: '2' });
    await node.write('PUT', '/v1/data', { a: '1' });
    await node.write('PUT', '/v1/rule', { '10.1.0.1': [] });
    await node.write('PUT', '/v1/mapping', { '10.1.0.1': { a: '/b' } });
    const all = [
      { kind: 'data', path: '/b', before: '1', after: '2' },
      { kind: 'mapping', path: '/10.1.0.1/a', before: null, after: '/b' },
      { kind: 'rule', path: '10.1.0.1', before: null, after: [] },
    ];
    expect(await get(node, '/v1/diff?from=1&to=5')).toEqual([
      200,
      { from: 1, to: 5, changes: all, truncated: false },
    ]);
    expect(await get(node, '/v1/diff?from=1&limit=2')).toEqual([
      200,
      { from: 1, to: 5, changes: all.slice(0, 2), truncated: true },
    ]);
    expect(await get(node, '/v1/diff?from=1&tree=rule&path=10.1.0.1')).toMatchObject([
      200,
      { changes: all.slice(2) },
    ]);
    expect(await get(node, '/v1/diff?from=1&path=/b')).toMatchObject([200, { changes: all.slice(0, 1) }]);
    expect(await get(node, '/v1/diff?from=1&to=1')).toMatchObject([200, { changes: [] }]);
  });

  test.each(['', 'from=x', 'from=2&to=1', 'from=0&tree=x', 'from=0&limit=0', 'from=0&path=/a&tree=mapping'])(
    '"%s" is refused',
    async (query) => {
      expect((await get(new TestNode(), `/v1/diff?${query}`))[0]).toBe(400);
    },
  );
});

test('only so many look far into the past at once, and the others wait in line', async () => {
  const node = new TestNode();
  for (let i = 0; i < 1000; i += 1) await node.write('PUT', '/v1/data/a', String(i));
  const cursors = new Cursors(node);
  const targets = Array.from({ length: 4 }, (_, i) => [
    `/v1/history/none${i}`,
    `/v1/diff?from=1&path=/none${i}`,
    `/v1/data?version=${i + 1}`,
  ]).flat();
  const all = await Promise.all(targets.map((target) => get(node, target)));
  expect(all.map(([status]) => status)).toEqual(Array(12).fill(200));
  expect(cursors).toMatchObject({ opened: 12, open: 0, most: 8 });
  // Whoever asks for the same gets the same.
  const same = await Promise.all(
    targets
      .slice(0, 3)
      .flatMap((target) => [target, target])
      .map((target) => get(node, target)),
  );
  expect(same).toEqual(all.slice(0, 3).flatMap((one) => [one, one]));
  expect(cursors.opened).toBe(15);
});

describe('while the history goes on', () => {
  /** Writes that are made one by one, whenever the node has answered something in between. */
  function keepWriting(write: (number: number) => Promise<unknown>): () => Promise<number> {
    let number = 0;
    let goesOn = true;
    const loop = async () => {
      while (goesOn) {
        number += 1;
        await write(number);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return number;
    };
    const writing = loop();
    return () => {
      goesOn = false;
      return writing;
    };
  }

  test('what is read is still of one version', async () => {
    const node = new TestNode();
    for (let i = 0; i < 1000; i += 1) await node.write('PUT', '/v1/data', { a: String(i), b: String(i) });
    const stop = keepWriting((number) =>
      node.write('PUT', '/v1/data', { a: `new ${number}`, b: `new ${number}` }),
    );
    for (const at of [1, 500, 1000]) {
      const then = String(at - 1);
      expect(await get(node, `/v1/data?version=${at}`)).toEqual([200, { a: then, b: then }]);
    }
    const [, diff] = (await get(node, '/v1/diff?from=1')) as [number, { to: number; changes: Changed[] }];
    expect(diff.changes[0]?.after).toBe(`new ${diff.to - 1000}`);
    expect(diff.changes[1]?.after).toBe(diff.changes[0]?.after);
    const oldest = await history(node, '/v1/history/a?before=3');
    expect(oldest.changes.map(({ changed }) => changed?.[0])).toEqual([
      { kind: 'data', path: '/a', before: '0', after: '1' },
      { kind: 'data', path: '/a', before: null, after: '0' },
    ]);
    const [newest] = (await history(node, '/v1/history/a?limit=1')).changes;
    expect(newest?.changed?.[0]?.after).not.toBe(newest?.changed?.[0]?.before);
    await stop();
  });

  test('what is trimmed meanwhile is gone, and never wrong', async () => {
    const node = new TestNode();
    const big = (number: number) => String(number % 10).repeat(700_000);
    for (let i = 0; i < 1000; i += 1) await node.write('PUT', '/v1/data/a', String(i));
    // Each of these replaces so much that two dozen of them are all that is kept.
    const stop = keepWriting((number) => node.write('PUT', '/v1/data/big', big(number)));
    let gone = 0;
    for (let at = 1000; gone < 3; at -= 40) {
      await settle();
      const [status, document] = await get(node, `/v1/data/a?version=${Math.max(1, at)}`);
      if (status === 410) gone += 1;
      else expect([status, document]).toEqual([200, String(Math.max(1, at) - 1)]);
    }
    await stop();
    const { from } = await history(node, '/v1/history?limit=1');
    expect((await wholeHistory(node, '/v1/history', 1000)).at(-1)?.version).toBe(from + 1);
    expect((await get(node, `/v1/data?version=${from}`))[0]).toBe(200);
    expect(await get(node, `/v1/data?version=${from - 1}`)).toMatchObject([
      410,
      { message: expect.stringContaining(`the oldest that can be asked for is ${from}`) },
    ]);
    expect((await get(node, `/v1/diff?from=${from - 1}`))[0]).toBe(410);
  });
});
