import { version } from '@metad/kv-store';
import { describe, expect, test } from 'vitest';
import { settle, TestNode, versionOf } from './test-node.ts';
import { TestStream } from './test-stream.ts';

const CLIENT = '10.1.0.1';
const DATA = { nodes: { 1: { ip: 'a', name: 'one' }, 2: { ip: 'b' } }, other: 'x' };

async function openNode(...args: ConstructorParameters<typeof TestNode>): Promise<TestNode> {
  const node = new TestNode(...args);
  await node.write('PUT', '/v1/data', DATA);
  await node.allow(CLIENT, '/');
  return node;
}

describe('what a stream sends', () => {
  test('the state, then each change of it, and none elsewhere', async () => {
    const node = await openNode();
    const stream = await TestStream.open(node, '/nodes/1?pretty=1');
    expect(stream.chunks).toEqual([
      'retry: 1000\n\n',
      'event: state\nid: 2\ndata: {"ip":"a","name":"one"}\n\n',
    ]);
    await node.write('PUT', '/v1/data/other', 'y');
    await node.write('PUT', '/v1/data/nodes/1/ip', 'line\nbreak');
    await node.write('DELETE', '/v1/data/nodes');
    await node.write('PUT', '/v1/data/nodes/1', 'back');
    expect((await stream.events()).slice(1)).toEqual([
      { event: 'state', id: '4', data: { ip: 'line\nbreak', name: 'one' } },
      { event: 'missing', id: '5', data: null },
      { event: 'state', id: '6', data: 'back' },
    ]);
  });

  test('fields that keep proxies from holding it back', async () => {
    const node = await openNode();
    const { fields } = await TestStream.open(node, '/');
    expect(fields.join('|')).toBe(
      'Content-Type|text/event-stream|Cache-Control|private, no-cache|Vary|Accept|X-Accel-Buffering|no|X-Metad-Version|2',
    );
    const head = await node.metadata('/', { method: 'HEAD', headers: { accept: 'text/event-stream' } });
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
      200,
      'text/event-stream',
      '',
    ]);
    expect(node.apps.waiters()).toBe(1);
  });

  test('what is missing as such, until it is there', async () => {
    const node = new TestNode();
    const self = await TestStream.open(node, '/self');
    await node.write('PUT', '/v1/data/a', '1');
    await node.write('PUT', '/v1/mapping', { [CLIENT]: { k: '/a' } });
    await node.write('DELETE', `/v1/mapping/${CLIENT}`);
    expect(await self.events()).toEqual([
      { event: 'missing', id: '0', data: null },
      { event: 'state', id: '2', data: { k: '1' } },
      { event: 'missing', id: '3', data: null },
    ]);
  });

  test('grants, revokes, mappings and a replaced state, and nothing that is hidden', async () => {
    const node = await openNode();
    await node.allow(CLIENT, '/nodes');
    const stream = await TestStream.open(node, '/');
    await node.write('PUT', '/v1/data', { other: 'z', secret: '1' });
    await node.allow('10.1.0.9', '/');
    await node.allow(CLIENT, '/nodes', '/nowhere');
    expect(await stream.data()).toEqual([{ nodes: DATA.nodes }]);
    await node.allow(CLIENT, '/nodes/2', '/other');
    await node.write('PUT', '/v1/mapping', { [CLIENT]: { o: '/other' } });
    await node.write('DELETE', `/v1/rule?hosts=${CLIENT}`);
    expect((await stream.data()).slice(1)).toEqual([
      { nodes: { 2: { ip: 'b' } }, other: 'z' },
      { nodes: { 2: { ip: 'b' } }, other: 'z', self: { o: 'z' } },
      { other: 'z', self: { o: 'z' } },
    ]);
    const batch = node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/hidden', '1']] }]);
    node.replica.deliver({ ...batch, changes: [{ type: 'reset', version: batch.version }] });
    expect(await stream.data()).toHaveLength(4);
  });

  test('the final state of several changes in one batch', async () => {
    const node = await openNode();
    const stream = await TestStream.open(node, '/other');
    node.replica.applyAll(
      ['1', '2', '3'].map((value) => ({ type: 'merge', tree: 'data', leaves: [['/other', value]] })),
    );
    expect(await stream.data()).toEqual(['x', '3']);
  });

  test('many clients: each its own', async () => {
    const node = await openNode();
    await node.write('PUT', '/v1/mapping', { '10.2.0.1': { n: '/nodes/1' }, '10.2.0.2': { n: '/nodes/2' } });
    const one = await TestStream.open(node, '/self', { client: '10.2.0.1' });
    const two = await TestStream.open(node, '/self', { client: '10.2.0.2' });
    await node.write('PUT', '/v1/data/nodes/2/ip', 'c');
    expect(await one.data()).toEqual([{ n: DATA.nodes[1] }]);
    expect(await two.data()).toEqual([{ n: { ip: 'b' } }, { n: { ip: 'c' } }]);
  });
});

describe('a client that comes back', () => {
  const from = (id: number | string) => ({ headers: { 'last-event-id': String(id) } });

  test('is sent nothing that it has seen, and everything since', async () => {
    const node = await openNode();
    const seen = versionOf(await node.metadata('/nodes/1'));
    await node.write('PUT', '/v1/data/other', 'y');
    const stream = await TestStream.open(node, '/nodes/1', from(seen));
    const other = await TestStream.open(node, `/other?last_event_id=${seen}`);
    expect(await stream.data()).toEqual([]);
    expect(await other.data()).toEqual(['y']);
    await node.write('PUT', '/v1/data/nodes/1/ip', 'new');
    expect(await stream.data()).toEqual([{ ip: 'new', name: 'one' }]);
  });

  test('is sent the state when it can not be known what it missed', async () => {
    const node = await openNode({ maxWindowChanges: 1 });
    const seen = versionOf(await node.metadata('/nodes/1'));
    for (const value of ['1', '2']) await node.write('PUT', '/v1/data/other', value);
    expect(await (await TestStream.open(node, '/nodes/2', from(seen))).data()).toEqual([{ ip: 'b' }]);
    expect(await (await TestStream.open(node, '/nodes/2', from('no id'))).data()).toEqual([{ ip: 'b' }]);
  });

  test('goes elsewhere when this node is behind', async () => {
    const node = await openNode({ catchUpTimeoutMs: 0 });
    const opening = TestStream.open(node, '/nodes/1', from(50));
    const refused = expect(opening).rejects.toThrow('503');
    await settle();
    node.clock.advance(200);
    await refused;
    expect([node.apps.waiters(), node.clock.timerCount]).toEqual([0, 0]);
  });

  test('with the id of a heartbeat: it has seen all that was hidden from it', async () => {
    const node = await openNode({ maxWindowChanges: 2 });
    await node.allow(CLIENT, '/nodes');
    const stream = await TestStream.open(node, '/');
    for (let i = 0; i < 9; i += 1) await node.write('PUT', '/v1/data/other', String(i));
    expect(stream.lastId).toBe('3');
    node.clock.advance(16_000);
    expect(stream.lastId).toBe('12');
    const next = await TestStream.open(node, '/', from(stream.lastId ?? ''));
    expect(await next.data()).toEqual([]);
    expect(await stream.data()).toHaveLength(1);
  });
});

describe('a client that reads slowly', () => {
  test('is sent the newest state when it is ready, and never a backlog', async () => {
    const node = await openNode();
    const stream = await TestStream.open(node, '/other');
    stream.pauseReading();
    for (let i = 0; i < 20; i += 1) await node.write('PUT', '/v1/data/other', String(i));
    expect(await stream.data()).toEqual(['x', '0']);
    await stream.resumeReading();
    expect(await stream.events()).toMatchObject([{}, {}, { id: '22', data: '19' }]);
    await node.write('PUT', '/v1/data/other', 'last');
    expect((await stream.data()).at(-1)).toBe('last');
  });

  test('has no id of what it was not sent', async () => {
    const node = await openNode();
    const stream = await TestStream.open(node, '/other');
    stream.pauseReading();
    node.clock.advance(15_000);
    const id = stream.lastId;
    await node.write('PUT', '/v1/data/other', 'y');
    node.clock.advance(15_000);
    expect([stream.lastId, id]).toEqual(['2', '2']);
    await stream.resumeReading();
    expect(stream.lastId).toBe('3');
  });

  test('is cut when it reads nothing for long', async () => {
    const node = await openNode();
    const stream = await TestStream.open(node, '/other');
    stream.pauseReading();
    for (let i = 0; i < 4; i += 1) node.clock.advance(15_000);
    expect(stream.isCut).toBe(false);
    for (let i = 0; i < 2; i += 1) node.clock.advance(15_000);
    await settle();
    expect([stream.isCut, node.apps.waiters(), node.clock.timerCount]).toEqual([true, 0, 0]);
  });
});

describe('how a stream ends', () => {
  test('with the client, whatever it waits for', async () => {
    const node = await openNode();
    const parked = await TestStream.open(node, '/other');
    const blocked = await TestStream.open(node, '/other');
    blocked.pauseReading();
    for (const value of ['1', '2']) await node.write('PUT', '/v1/data/other', value);
    await settle();
    expect(node.apps.waiters()).toBe(2);
    parked.leave();
    blocked.leave();
    await settle();
    expect([node.apps.waiters(), node.clock.timerCount]).toEqual([0, 0]);
    expect([parked.isEnded, blocked.isEnded]).toEqual([false, false]);
  });

  test('with the node, which says so', async () => {
    const node = await openNode();
    const parked = await TestStream.open(node, '/other');
    const blocked = await TestStream.open(node, '/other');
    blocked.pauseReading();
    for (const value of ['1', '2']) await node.write('PUT', '/v1/data/other', value);
    await settle();
    node.apps.stop();
    await parked.untilEnded();
    await blocked.untilEnded();
    expect((await parked.events()).at(-1)).toEqual({ event: 'stopping', id: undefined, data: null });
    expect([node.apps.waiters(), node.clock.timerCount]).toEqual([0, 0]);
    await expect(TestStream.open(node, '/other')).rejects.toThrow('503');
  });

  test('when the node must no longer be asked', async () => {
    const node = await openNode();
    const stream = await TestStream.open(node, '/other');
    node.replica.caughtUp = false;
    node.clock.advance(16_000);
    await stream.untilEnded();
  });

  test('when what it shows may be older than asked for', async () => {
    const node = await openNode();
    const stream = await TestStream.open(node, '/other?max_lag=5');
    const patient = await TestStream.open(node, '/other?max_lag=3600');
    node.clock.advance(16_000);
    await settle();
    expect([stream.isEnded, patient.isEnded]).toEqual([false, false]);
    node.replica.barrier = { type: 'unavailable', message: 'no quorum' };
    node.clock.advance(16_000);
    await stream.untilEnded();
    expect(patient.isEnded).toBe(false);
  });
});

test('heartbeats come every 15 seconds, spread over time, from one timer', async () => {
  let draws = 0;
  const random = (): number => (draws++ % 10) / 10;
  const node = new TestNode({}, { random });
  const streams: TestStream[] = [];
  for (let i = 0; i < 10; i += 1) streams.push(await TestStream.open(node, '/'));
  expect(node.clock.timerCount).toBe(1);
  const beats = (): number =>
    streams.flatMap(({ chunks }) => chunks.filter((one) => one.startsWith(':'))).length;
  const counts: number[] = [];
  for (let i = 0; i < 10; i += 1) {
    node.clock.advance(1500);
    counts.push(beats());
  }
  expect(counts).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 10]);
});

test.each([
  ['text/event-stream', true],
  ['Text/Event-Stream;q=0.9, text/plain;q=0.5, */*', true],
  ['text/event-stream, */*', true],
  ['text/event-stream, application/json', false],
  ['text/event-stream;q=0.1, text/plain', false],
  ['text/event-stream;q=0', false],
  ['text/*', false],
])('Accept: %s', async (accept, isStream) => {
  const node = await openNode();
  const opening = TestStream.open(node, '/other', { headers: { accept } });
  if (isStream) await opening;
  else await expect(opening).rejects.toThrow('200');
});

test.each([
  ['/%zz', 400],
  ['/a?jitter=soon', 400],
  ['/a?max_lag=-1', 400],
  ['/a?consistency=some', 400],
  ['/favicon.ico', 404],
])('%s is no stream: %d', async (path, status) => {
  const node = await openNode();
  await expect(TestStream.open(node, path)).rejects.toThrow(String(status));
  expect(node.apps.waiters()).toBe(0);
});

test('a state that is ahead of the feed is sent once', async () => {
  const node = await openNode();
  const stream = await TestStream.open(node, '/other');
  node.replica.holdBack();
  node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/other', 'y']] }]);
  const late = await TestStream.open(node, '/other');
  node.replica.deliverHeldBack();
  expect(await late.data()).toEqual(['y']);
  expect(await stream.data()).toEqual(['x', 'y']);
  expect((await stream.events()).map(({ id }) => id)).toEqual([String(version(2)), '3']);
});
