import { EventEmitter } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { Access } from '../src/access/access.ts';
import { CLIENT_GONE, unavailable } from '../src/http/problem.ts';
import { WaitingLine } from '../src/read/waiting-line.ts';
import { type Form, nameOf } from '../src/render/render.ts';
import { Cursors, manyLeaves, writeMany } from './large-tree.ts';
import { requestOf, settle, TestNode, versionOf } from './test-node.ts';
import { TestStream } from './test-stream.ts';
import { readWhole, renderWhole } from './whole-reads.ts';

const CLIENT = '10.1.0.1';
const ACCEPT = { text: 'text/plain', json: 'application/json', yaml: 'application/yaml' } as const;
const FORMS: readonly Form[] = [
  { format: 'text', pretty: false },
  { format: 'json', pretty: false },
  { format: 'json', pretty: true },
  { format: 'yaml', pretty: false },
];

/** A node with one large tree, that the client sees at `/big` and at `/self/big`. */
async function largeNode(...options: ConstructorParameters<typeof TestNode>): Promise<TestNode> {
  const node = new TestNode(...options);
  writeMany(node, '/big', 'one');
  await node.write('PUT', '/v1/mapping', { [CLIENT]: { big: '/big' } });
  return node;
}

/** How a client of either API asks for the tree. */
const ASKS = {
  manage: (node: TestNode, path: string, headers: Record<string, string>, method = 'GET') =>
    node.manage(method, `/v1/data/big${path}`, undefined, { headers }),
  metadata: (node: TestNode, path: string, headers: Record<string, string>, method = 'GET') =>
    node.metadata(`/big${path}`, { headers, method }),
  self: (node: TestNode, path: string, headers: Record<string, string>, method = 'GET') =>
    node.metadata(`/self/big${path}`, { headers, method }),
};

describe.each(Object.entries(ASKS))('a large tree, by way of %s', (_, ask) => {
  test.each(FORMS)('is what it would be in one turn: %o', async (form) => {
    const node = await largeNode();
    const cursors = new Cursors(node);
    const access = Access.ofTargets(['/big']);
    const expected = node.replica.state.read((view) => {
      const found = readWhole(view, { id: 1, access, mapping: null, hasRules: false }, '/big');
      if (found.type === 'missing') throw new Error('it is there');
      return renderWhole(found, form);
    });
    const headers = { accept: ACCEPT[form.format] };
    const query = form.pretty ? '?pretty=true' : '';
    const response = await ask(node, query, headers);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(expected);
    expect(cursors).toMatchObject({ opened: 1, open: 0 });
    const version = node.replica.version();
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-length': String(Buffer.byteLength(expected)),
      'x-metad-version': String(version),
      etag: `"${version}.${form.format}"`,
    });
    const head = await ask(node, query, headers, 'HEAD');
    expect(await head.text()).toBe('');
    for (const name of ['content-type', 'content-length', 'etag', 'x-metad-version']) {
      expect([name, head.headers.get(name)]).toEqual([name, response.headers.get(name)]);
    }
  });

  test('shows one version, whatever is written meanwhile', async () => {
    const node = await largeNode();
    let isDone = false;
    const answer = ask(node, '', { accept: ACCEPT.text }).finally(() => {
      isDone = true;
    });
    const written = new Map([[node.replica.version() as number, 'one']]);
    for (let i = 0; !isDone; i += 1) {
      await settle();
      writeMany(node, '/big', `value ${i}`, 4000);
      written.set(node.replica.version(), `value ${i}`);
    }
    const response = await answer;
    const text = await response.text();
    expect(written.size).toBeGreaterThan(2);
    const value = written.get(versionOf(response)) ?? '';
    const first = new Set(
      text
        .trimEnd()
        .split('\n')
        .map((line) => line.split('\t')[1]),
    );
    expect([...first].sort()).toEqual([...new Set([value, 'one'])].sort());
  });

  test('leaves their turn to all others', async () => {
    const node = await largeNode();
    await node.write('PUT', '/v1/data/big/small', 'x');
    let isDone = false;
    const answer = ask(node, '', { accept: ACCEPT.json }).finally(() => {
      isDone = true;
    });
    let answered = 0;
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      expect((await node.metadata('/big/small')).status).toBe(200);
      answered += 1;
    }
    // Of 6000 leaves 512 at most are read in a turn, and no more rendered.
    expect(answered).toBeGreaterThan(20);
    expect((await answer).status).toBe(200);
  });

  test('is made once for all who ask at the same time', async () => {
    const node = await largeNode();
    const cursors = new Cursors(node);
    const asked = Array.from({ length: 50 }, () => ask(node, '', { accept: ACCEPT.json }));
    const bodies = await Promise.all(asked.map(async (response) => (await response).text()));
    expect(new Set(bodies).size).toBe(1);
    expect(cursors).toMatchObject({ opened: 1, open: 0 });
    // What is written is not in what was under way.
    const early = ask(node, '', { accept: ACCEPT.text });
    await settle();
    await node.write('PUT', '/v1/data/big/new', 'x');
    const late = ask(node, '', { accept: ACCEPT.text });
    expect(await (await late).text()).toContain('/new\tx\n');
    expect((await early).status).toBe(200);
  });

  test('is not made again for who has it', async () => {
    const node = await largeNode();
    const first = await ask(node, '', { accept: ACCEPT.json });
    const etag = first.headers.get('etag') ?? '';
    await node.write('PUT', '/v1/data/elsewhere', 'x');
    const again = await ask(node, '', { accept: ACCEPT.json, 'if-none-match': etag });
    expect([again.status, await again.text()]).toEqual([304, '']);
    await node.write('PUT', '/v1/data/big/new', 'x');
    const changed = await ask(node, '', { accept: ACCEPT.json, 'if-none-match': etag });
    expect(changed.status).toBe(200);
    expect(await changed.json()).toMatchObject({ new: 'x' });
  });

  test('that meets a fault is a 500, and is reported', async () => {
    const onError = vi.fn();
    const node = await largeNode({}, { onError });
    const cursors = new Cursors(node);
    let reads = 0;
    cursors.onRead = () => {
      reads += 1;
      if (reads === 5) throw new Error('the disk is gone');
    };
    const failed = await ask(node, '', { accept: ACCEPT.json });
    expect(failed.status).toBe(500);
    expect(onError).toHaveBeenCalledWith(new Error('the disk is gone'), expect.any(String));
    expect(cursors.open).toBe(0);
    expect((await ask(node, '', { accept: ACCEPT.json })).status).toBe(200);
  });

  test('that takes too long is given up', async () => {
    const node = await largeNode();
    const cursors = new Cursors(node);
    const answer = ask(node, '', { accept: ACCEPT.json });
    await settle();
    node.clock.advance(61_000);
    const late = await answer;
    expect([late.status, late.headers.get('retry-after')]).toEqual([503, '1']);
    expect(cursors).toMatchObject({ opened: 1, open: 0 });
  });

  test('is given up when all have gone who asked for it', async () => {
    const node = await largeNode();
    const cursors = new Cursors(node);
    const gone = new AbortController();
    const leaving = Array.from({ length: 2 }, () =>
      node.metadata('/big', { headers: { accept: ACCEPT.yaml }, signal: gone.signal }),
    );
    const staying = node.metadata('/big', { headers: { accept: ACCEPT.json } });
    await settle();
    expect(cursors.open).toBe(2);
    gone.abort();
    expect((await Promise.all(leaving)).map(({ status }) => status)).toEqual([499, 499]);
    await settle();
    expect(cursors.open).toBe(1);
    expect((await staying).status).toBe(200);
    expect(cursors).toMatchObject({ opened: 2, open: 0 });
  });
});

test('so many large answers are made at once; the others wait in line', async () => {
  const node = new TestNode();
  for (let i = 0; i < 20; i += 1) writeMany(node, `/t${i}`, 'x', 3000);
  const cursors = new Cursors(node);
  const ask = (i: number, signal?: AbortSignal) =>
    node.manage('GET', `/v1/data/t${i}`, undefined, signal === undefined ? {} : { signal });
  const gone = new AbortController();
  const leaving = ask(19, gone.signal);
  const responses = Array.from({ length: 19 }, (_, i) => ask(i));
  // Twice the same in line: the second finds the answer of the first.
  const again = ask(18);
  await settle();
  expect(cursors.open).toBe(8);
  gone.abort();
  expect((await Promise.all(responses)).map(({ status }) => status)).toEqual(Array(19).fill(200));
  expect((await again).status).toBe(200);
  expect((await leaving).status).toBe(499);
  expect(cursors.open).toBe(0);
  expect(cursors.most).toBe(8);
});

test('the line is bounded, and moves on past those who have gone or need no turn', async () => {
  const full = unavailable('full');
  const line = new WaitingLine(2, full);
  const gone = new EventEmitter();
  const patient = { onGone: () => () => undefined };
  const leaver = {
    onGone: (listener: () => void) => {
      gone.once('gone', listener);
      return () => void gone.off('gone', listener);
    },
  };
  const [first, second, third] = [line.join(leaver), line.join(patient), line.join(patient)];
  expect(await third).toEqual({ type: 'problem', problem: full });
  gone.emit('gone');
  expect(await first).toEqual({ type: 'problem', problem: CLIENT_GONE });
  line.next();
  expect(await second).toEqual({ type: 'ok', value: null });
  line.next();
});

test('what is larger than a write may be is refused, whenever that is found out', async () => {
  const node = new TestNode({ maxLeaves: 3000 });
  writeMany(node, '/big', 'x', 3000);
  expect((await node.manage('GET', '/v1/data/big')).status).toBe(200);
  await node.write('PUT', '/v1/data/big/more', 'x');
  for (const accept of Object.values(ACCEPT)) {
    const response = await node.manage('GET', '/v1/data', undefined, { headers: { accept } });
    expect(response.status).toBe(413);
    expect(versionOf(response)).toBe(node.replica.version());
    expect(await response.text()).toContain('limit=1000');
  }
});

test('what a client may not see is not in a large answer', async () => {
  const node = new TestNode();
  writeMany(node, '/big', 'x');
  await node.write('POST', '/v1/rule', {
    [CLIENT]: [
      { path: '/big', mode: 1 },
      { path: '/big/a', mode: 0 },
      { path: '/big/*/a-b7', mode: 0 },
    ],
  });
  const shown = (await node.json('/big')) as Record<string, unknown>;
  const expected = manyLeaves('x').filter(([path]) => !/^\/(?:a|[^/]*\/a-b7)\//.test(path));
  const text = await (await node.metadata('/big', { headers: { accept: ACCEPT.text } })).text();
  expect(text.trimEnd().split('\n')).toHaveLength(expected.length);
  expect(Object.keys(shown)).toEqual(['a-b', 'a.b', 'a0', 'é', '\uffee', '\u{1f511}']);
});

test('a large root has the mapping in the place of what is called like it', async () => {
  const node = await largeNode();
  writeMany(node, '/self', 'hidden');
  writeMany(node, '/self-made', 'x', 100);
  await node.allow(CLIENT, '/');
  const shown = (await node.json('/')) as { self: object; 'self-made': object };
  expect(Object.keys(shown)).toEqual(['big', 'self', 'self-made']);
  expect(JSON.stringify(shown)).not.toContain('hidden');
  expect(shown.self).toEqual({ big: await node.json('/big') });
  const yaml = await node.metadata('/', { headers: { accept: ACCEPT.yaml } });
  expect(parseYaml(await yaml.text())).toEqual(shown);
});

test('an answer that was under way when the state was replaced is neither shared nor kept', async () => {
  const node = await largeNode();
  const cursors = new Cursors(node);
  const before = node.metadata('/big');
  await settle();
  const batch = node.replica.applyAll([]);
  node.replica.deliver({ ...batch, changes: [{ type: 'reset', version: batch.version }] });
  const after = node.metadata('/big');
  expect((await before).status).toBe(200);
  expect((await after).status).toBe(200);
  expect(cursors.opened).toBe(2);
  // The later one is kept.
  expect((await node.metadata('/big')).status).toBe(200);
  expect(cursors.opened).toBe(2);
});

test('those who wait for one change of a large tree are answered by one rendering', async () => {
  const node = await largeNode();
  const cursors = new Cursors(node);
  const held = [];
  for (let i = 0; i < 40; i += 1) held.push(await node.hold('/big?wait=true'));
  const version = await node.write('PUT', '/v1/data/big/new', 'x');
  const versions = new Set<number>();
  for (const one of held) {
    const response = await one.response;
    versions.add(versionOf(response));
    expect(await response.json()).toMatchObject({ new: 'x' });
  }
  expect([...versions]).toEqual([version]);
  expect(cursors).toMatchObject({ opened: 1, open: 0 });
});

describe('a stream of a large tree', () => {
  test('sends whole events, and nothing within one', async () => {
    const node = await largeNode();
    const expected = await node.json('/big');
    const stream = await TestStream.open(node, '/big');
    await vi.waitFor(async () => expect(await stream.data()).toEqual([expected]));
    await node.write('PUT', '/v1/data/big/new', 'x');
    const before = stream.chunks.length;
    while (stream.chunks.length === before) await new Promise((resolve) => setImmediate(resolve));
    // A heartbeat is due while the event is being sent.
    node.clock.advance(15_000);
    expect(stream.chunks.length).toBe(before + 1);
    await vi.waitFor(async () => expect(await stream.data()).toHaveLength(2));
    expect((await stream.data())[1]).toMatchObject({ new: 'x' });
    expect(stream.isCut).toBe(false);
  });

  test('sends an event as the client takes it, and the rest of it before the end', async () => {
    const node = await largeNode();
    const expected = await node.json('/big');
    const stream = await TestStream.open(node, '/big');
    await vi.waitFor(async () => expect(await stream.data()).toHaveLength(1));
    stream.pauseReading();
    const written = stream.chunks.length;
    await node.write('PUT', '/v1/data/big/new', 'x');
    await vi.waitFor(() => expect(stream.chunks.length).toBe(written + 1));
    for (let turn = 0; turn < 10; turn += 1) await settle();
    expect(stream.chunks.length).toBe(written + 1);
    node.apps.stop();
    await stream.untilEnded();
    expect(await stream.data()).toEqual([expected, { ...(expected as object), new: 'x' }, null]);
  });
});

test('forms that differ have names that differ', () => {
  expect(new Set(FORMS.map(nameOf)).size).toBe(FORMS.length);
});

test('a client that has gone before it was heard holds nothing', async () => {
  const node = await largeNode();
  const cursors = new Cursors(node);
  const gone = AbortSignal.abort();
  const status = await new Promise<number>((resolve, reject) => {
    node.apps.metadata(requestOf('/big', { signal: gone }), {
      answer: (answer) => resolve(answer.status),
      open: () => {
        reject(new Error('it is no stream'));
        throw new Error('it is no stream');
      },
    });
  });
  expect(status).toBe(499);
  await settle();
  expect(cursors).toMatchObject({ opened: 1, open: 0 });
});
