import type { RequestListener } from 'node:http';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type MetadataState, MetadClient, MetadManageClient } from '../src/client/index.ts';
import type { MetadSettings } from '../src/settings.ts';
import { listening } from './listening.ts';
import { TestNode } from './test-node.ts';

// The client against the two APIs as they are, over a store in this process.

async function serve(listener: RequestListener): Promise<string> {
  const { port } = await listening(listener);
  return `http://127.0.0.1:${port}`;
}

/** The address that the clients of these tests come from. */
const here = '127.0.0.1';

async function start(settings: Partial<MetadSettings> = {}) {
  const node = new TestNode(settings);
  const client = new MetadClient({ endpoints: [await serve(node.apps.metadataListener)] });
  const manage = new MetadManageClient({
    endpoints: [await serve(node.apps.manageListener)],
    author: 'tests',
  });
  onTestFinished(() => {
    client.close();
    manage.close();
  });
  return { node, client, manage };
}

describe('the metadata API', () => {
  test('shows this client what it may see', async () => {
    const { client, manage } = await start();
    await manage.data.merge('/', { nodes: { 'a b': { ip: '10.0.0.1', n: 1 } }, secret: 'x' });
    expect(await client.self()).toMatchObject({ found: false });
    await manage.mapping.merge(`/${here}`, { node: '/nodes/a b' });
    const { version } = await manage.rules.set({ [here]: [{ path: '/nodes', mode: 1 }] });
    expect(await client.get('/nodes', { minVersion: version })).toEqual({
      found: true,
      value: { 'a b': { ip: '10.0.0.1', n: '1' } },
      version,
    });
    expect(await client.get('/nodes/a b/ip')).toEqual({ found: true, value: '10.0.0.1', version });
    expect(await client.self('node', { consistency: 'linearizable' })).toMatchObject({
      value: { ip: '10.0.0.1', n: '1' },
    });
    expect(await client.get('/secret')).toEqual({ found: false, version });
  });

  test('watches /self through changes of data, mapping and rules', async () => {
    const { node, client, manage } = await start();
    const abort = new AbortController();
    const states: MetadataState[] = [];
    const watching = (async () => {
      for await (const state of client.watch('/self', { signal: abort.signal })) states.push(state);
    })();
    const seen = (): unknown => {
      const state = states.at(-1);
      return state?.found ? state.value : null;
    };
    const shows = (value: unknown) => vi.waitFor(() => expect(seen()).toEqual(value));
    await vi.waitFor(() => expect(node.apps.waiters() + states.length).toBeGreaterThan(0));
    await manage.data.merge('/', { nodes: { a: { ip: '1' }, b: { ip: '2' } } });
    await manage.mapping.replace(`/${here}`, { node: '/nodes/a' });
    await shows({ node: { ip: '1' } });
    await manage.data.merge('/nodes/b/ip', '3');
    await manage.mapping.replace(`/${here}`, { node: '/nodes/b' });
    await shows({ node: { ip: '3' } });
    const { version } = await manage.rules.set({ [here]: [{ path: '/nodes/a', mode: 1 }] });
    await vi.waitFor(() => expect(states.at(-1)?.version).toBe(version));
    expect(seen()).not.toEqual({ node: { ip: '3' } });
    abort.abort();
    await watching;
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(0));
    const versions = states.map((state) => state.version);
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  });

  test('gives nothing to a watch since a version, when nothing has changed for it', async () => {
    const { node, client, manage } = await start();
    await manage.data.merge('/', { a: 'x', b: 'y' });
    await manage.rules.set({ [here]: [{ path: '/a', mode: 1 }] });
    const { version } = await client.get('/a');
    await manage.data.merge('/b', 'z');
    const watch = client.watch('/a', { since: version, waitSeconds: 10 });
    const next = watch.next();
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(1));
    // The wait ends by its time, with a newer version and the same state.
    node.clock.advance(11_000);
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(1));
    const { version: changed } = await manage.data.merge('/a', 'new');
    expect(await next).toEqual({ done: false, value: { found: true, value: 'new', version: changed } });
    await watch.return();
  });
});

describe('the manage API', () => {
  test('swaps only what has not changed', async () => {
    const { manage } = await start();
    const created = await manage.data.compareAndSet('/a', { expected: 'absent', value: '1' });
    expect(created).toMatchObject({ swapped: true });
    expect(await manage.data.compareAndSet('/a', { expected: 'absent', value: '1' })).toMatchObject({
      swapped: false,
    });
    const { version } = await manage.data.get('/a');
    await manage.data.merge('/elsewhere', 'x');
    expect(await manage.data.compareAndSet('/a', { expected: version, value: '2' })).toMatchObject({
      swapped: true,
    });
    expect(await manage.data.compareAndSet('/a', { expected: version, value: '3' })).toMatchObject({
      swapped: false,
      version: manage.version,
    });
    expect(await manage.data.get('/a')).toMatchObject({ value: '2' });
    const absent = manage.data.delete('/b', { onlyIf: 'present' });
    await expect(absent).rejects.toMatchObject({ kind: 'preconditionFailed', status: 412 });
  });

  test('applies a call once under its key, and refuses the key to another', async () => {
    const { manage } = await start();
    const once = { idempotencyKey: 'deploy-7' };
    const first = await manage.data.merge('/a', 'x', once);
    await manage.data.merge('/a', 'y');
    expect(await manage.data.merge('/a', 'x', once)).toEqual({ version: first.version, replayed: true });
    expect(await manage.data.get('/a')).toMatchObject({ value: 'y' });
    const other = manage.data.merge('/a', 'z', once);
    await expect(other).rejects.toMatchObject({ kind: 'keyReused', status: 422 });
  });

  test('deletes the children that are named, and with none named nothing', async () => {
    const { manage } = await start();
    await manage.data.merge('/a', { b: '1', c: '2', d: '3' });
    for (const subs of [[], [''], ['other']]) await manage.data.delete('/a', { subs });
    await manage.rules.delete([]);
    expect(await manage.data.get('/a')).toMatchObject({ value: { b: '1', c: '2', d: '3' } });
    await manage.data.delete('/a', { subs: ['b', 'c'] });
    expect(await manage.data.get('/a')).toMatchObject({ value: { d: '3' } });
    await manage.data.delete('/a');
    expect(await manage.data.get('/a')).toMatchObject({ found: false });
  });

  test('says at once that a write is too large', async () => {
    const { manage } = await start({ maxBodyBytes: 100_000 });
    for (const length of [200_000, 20_000_000]) {
      const write = manage.data.merge('/large', { value: 'x'.repeat(length) });
      await expect(write).rejects.toMatchObject({ kind: 'invalid', status: 413, mayHaveApplied: false });
    }
  });

  test('makes several changes at one version, or none', async () => {
    const { manage } = await start();
    const { version } = await manage.data.merge('/old', 'x');
    const batch = {
      if: [
        { path: '/old', version },
        { path: '/new', absent: true as const },
      ],
      do: [
        { put: '/v1/data/new', value: { name: 'x' } },
        { post: '/v1/mapping/10.0.0.1', value: { node: '/new' } },
        { put: '/v1/rule', value: { '10.0.0.1': [{ path: '/new', mode: 1 }] } },
        { delete: '/v1/data/old' },
      ],
    };
    expect(await manage.batch(batch)).toEqual({ version: version + 1, replayed: false });
    expect(await manage.data.get()).toMatchObject({ value: { new: { name: 'x' } } });
    expect(await manage.mapping.get('/10.0.0.1')).toMatchObject({ value: { node: '/new' } });
    expect(await manage.rules.get({ hosts: ['10.0.0.1'] })).toMatchObject({
      rules: { '10.0.0.1': [{ path: '/new', mode: 1 }] },
    });
    expect(await manage.rules.get({ hosts: [] })).toMatchObject({ rules: {} });
    await expect(manage.batch(batch)).rejects.toMatchObject({ kind: 'preconditionFailed' });
    await expect(manage.batch({ do: [] })).rejects.toMatchObject({ kind: 'invalid', status: 400 });
    await manage.rules.delete(['10.0.0.1']);
    expect(await manage.rules.get()).toMatchObject({ rules: {} });
    await manage.mapping.delete('/10.0.0.1', { subs: ['node'] });
    expect(await manage.mapping.get('/10.0.0.1')).toMatchObject({ found: false });
  });
});

describe('what was and why', () => {
  test('reads the past, who changed it, and what is different', async () => {
    const { manage } = await start();
    const first = await manage.data.merge('/', { a: '1', b: { c: 'x' } });
    const second = await manage.data.merge('/a', '2', { author: 'somebody' });
    await manage.rules.set({ '10.0.0.1': [{ path: '/', mode: 1 }] });
    expect(await manage.data.get('/a', { atVersion: first.version })).toEqual({
      found: true,
      value: '1',
      version: first.version,
    });
    const page = await manage.history('/a');
    expect(page).toMatchObject({
      changes: [
        { version: second.version, changed: [{ kind: 'data', path: '/a', before: '1', after: '2' }] },
        { version: first.version, changed: [{ path: '/a', before: null, after: '1' }] },
      ],
      next: null,
    });
    expect(page.changes[0]?.author).toContain('somebody');
    expect(page.changes[1]?.author).toContain('tests');
    const rules = await manage.history('/', { tree: 'rule', limit: 1 });
    expect(rules.changes).toMatchObject([{ changed: [{ kind: 'rule', path: '10.0.0.1', before: null }] }]);
    expect(await manage.diff({ from: first.version, to: second.version })).toMatchObject({
      changes: [{ kind: 'data', path: '/a', before: '1', after: '2' }],
      truncated: false,
    });
    // The past does not make the client forget how new it is.
    expect(manage.version).toBeGreaterThan(second.version);
  });

  test('explains and shows what a client sees', async () => {
    const { manage } = await start();
    await manage.data.merge('/nodes', { a: { ip: '1', secret: 'x' } });
    await manage.mapping.replace('/10.0.0.1', { node: '/nodes/a' });
    const rules = [
      { path: '/nodes', mode: 1 as const },
      { path: '/nodes/*/secret', mode: 0 as const },
    ];
    await manage.rules.set({ '10.0.0.1': rules });
    const explained = await manage.explain({ ip: '10.0.0.1', path: '/self/node' });
    expect(explained).toMatchObject({ ip: '10.0.0.1', path: '/self/node', rules: 2, truncated: false });
    expect(explained.branches).toMatchObject([{ path: '/self/node', data: '/nodes/a', target: '/nodes/a' }]);
    const verdicts = explained.branches[0]?.leaves.map(({ data, visible }) => [data, visible]);
    expect(verdicts).toEqual([
      ['/nodes/a/ip', true],
      ['/nodes/a/secret', false],
    ]);
    const seen = { found: true, value: { ip: '1' }, version: manage.version };
    expect(await manage.preview({ ip: '10.0.0.1', path: '/self/node' })).toEqual(seen);
    expect(await manage.preview({ ip: '10.0.0.2', path: '/self/node' })).toMatchObject({ found: false });
    await expect(manage.explain({ ip: 'nobody' })).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('reads everything page by page', async () => {
    const { manage } = await start();
    const entries = Array.from(
      { length: 25 },
      (_, i) => [`k${String(i).padStart(2, '0')}`, `v${i}`] as const,
    );
    await manage.data.merge('/many', Object.fromEntries(entries));
    await manage.data.merge('/other', 'x');
    const leaves: (readonly [string, string])[] = [];
    for await (const leaf of manage.data.leaves('/many', { pageSize: 7 })) leaves.push(leaf);
    expect(leaves).toEqual(entries.map(([name, value]) => [`/many/${name}`, value]));
    for await (const leaf of manage.data.leaves('/nothing')) throw new Error(`there is ${leaf[0]}`);
  });
});
