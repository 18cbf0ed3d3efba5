import { getEventListeners } from 'node:events';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { MetadClient } from '../src/client/index.ts';
import { NodeRing } from '../src/client/node-ring.ts';
import { clientOf, deadUrl, failure, refuse, StubNode, show } from './client-stub.ts';

// The client against nodes that do as they are told. Against real ones it runs in client-apps.test.ts.

describe('get', () => {
  test('gives a tree, a value, or that nothing is there, each with its version', async () => {
    const node = await StubNode.start(({ target }, response) => {
      if (target === '/a') show(response, 7, { b: { c: 'x' }, d: '' });
      else if (target === '/a/d') show(response, 7, '');
      else show(response, 8);
    });
    const client = clientOf([node.url]);
    expect(await client.get('/a')).toEqual({ found: true, value: { b: { c: 'x' }, d: '' }, version: 7 });
    expect(await client.get('a/d/')).toEqual({ found: true, value: '', version: 7 });
    expect(await client.get('/')).toEqual({ found: false, version: 8 });
    expect(client.version).toBe(8);
  });

  test('asks for a path as it is called, whatever its names hold', async () => {
    const node = await StubNode.start((_, response) => show(response, 1, ''));
    const client = clientOf([`${node.url}/behind/proxy`]);
    await client.get('/a b/ü?x=1#y/100%');
    await client.self('node/ip', { consistency: 'linearizable' });
    await client.self();
    await client.get('/');
    expect(node.received.map(({ target }) => target)).toEqual([
      '/behind/proxy/a%20b/%C3%BC%3Fx%3D1%23y/100%25',
      '/behind/proxy/self/node/ip?consistency=linearizable',
      '/behind/proxy/self',
      '/behind/proxy/',
    ]);
    expect(await failure(client.self('../nodes'))).toMatchObject({ kind: 'invalid', status: null });
  });

  test('passes on the newest version that it has seen, and takes nothing older', async () => {
    const node = await StubNode.start((_, response) => show(response, 9, 'new'));
    let asked = 0;
    const behind = await StubNode.start((_, response) => {
      asked += 1;
      if (asked < 3) show(response, 8, 'old');
      else show(response, 9, 'caught up');
    });
    const client = clientOf([node.url, behind.url]);
    await client.get('/a');
    node.handle(({ headers }, response) => {
      if (headers['x-metad-version'] === '9') refuse(response, 503);
      else show(response, 10, 'not passed on');
    });
    expect(await client.get('/a')).toEqual({ found: true, value: 'caught up', version: 9 });
    await client.get('/a', { minVersion: 9 });
    expect(behind.received.at(-1)?.headers['x-metad-version']).toBe('9');
  });

  test.each([
    ['refuses connections', null],
    ['answers 503', 503],
    ['answers 500', 500],
    ['answers 429', 429],
    ['answers a 404 that is not metad’s', 404],
    ['answers a 403 that is not metad’s', 403],
  ])('goes to the next node when one %s', async (_, status) => {
    const first =
      status === null
        ? await deadUrl()
        : (await StubNode.start((_received, response) => refuse(response, status))).url;
    const second = await StubNode.start((_received, response) => show(response, 1, 'here'));
    expect(await clientOf([first, second.url]).get('/a')).toMatchObject({ value: 'here' });
  });

  test('leaves a node that hangs, that cuts its answer, or whose answer is no metadata', async () => {
    const hanging = await StubNode.start(() => undefined);
    const cutting = await StubNode.start((_, response) => {
      response.writeHead(200, { 'x-metad-version': '1', 'content-length': '100' });
      response.write('{"a":', () => response.destroy());
    });
    const strange = await StubNode.start((_, response) => show(response, 1, { a: [1] }));
    const endless = await StubNode.start((_, response) => show(response, 1, 'x'.repeat(2000)));
    const good = await StubNode.start((_, response) => show(response, 1, 'good'));
    const nodes = [hanging, cutting, strange, endless, good];
    const client = clientOf(
      nodes.map(({ url }) => url),
      { attemptTimeoutMs: 500, maxResponseBytes: 1000 },
    );
    expect(await client.get('/a')).toMatchObject({ value: 'good' });
    expect(nodes.map(({ received }) => received.length)).toEqual([1, 1, 1, 1, 1]);
    expect(await hanging.connections()).toBe(0);
  });

  test('does not try again what will never be accepted', async () => {
    const node = await StubNode.start((_, response) => refuse(response, 414, { 'x-metad-version': '3' }));
    const error = await failure(clientOf([node.url]).get('/long'));
    expect(error).toMatchObject({ kind: 'invalid', status: 414, version: 3, mayHaveApplied: false });
    expect(error.message).toBe('refused with 414');
    expect(node.received).toHaveLength(1);
  });

  test('gives up when its time would be over before another attempt, and says why', async () => {
    const slow = { firstBackoffMs: 1_000_000, maxBackoffMs: 1_000_000 };
    const node = await StubNode.start((_, response) => refuse(response, 503, { 'x-metad-version': '1' }));
    const error = await failure(clientOf([node.url], slow).get('/a'));
    expect(error).toMatchObject({ kind: 'unavailable', status: 503, mayHaveApplied: false });
    expect(error.message).toContain('refused with 503');
    const dead = await failure(clientOf([await deadUrl()], slow).get('/a'));
    expect(dead).toMatchObject({ kind: 'unavailable', status: null });
    expect(dead.cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('does not go on beyond its time', async () => {
    const hanging = await StubNode.start(() => undefined);
    const error = await failure(clientOf([hanging.url]).get('/a', { timeoutMs: 30 }));
    expect(error).toMatchObject({ kind: 'unavailable', status: null, mayHaveApplied: false });
    await vi.waitFor(async () => expect(await hanging.connections()).toBe(0));
  });

  test('leaves a node alone for as long as it asks', async () => {
    const busy = await StubNode.start((_, response) => refuse(response, 429, { 'retry-after': '3600' }));
    const other = await StubNode.start((_, response) => show(response, 1, 'here'));
    const client = clientOf([busy.url, other.url]);
    await client.get('/a');
    other.handle((_, response) => refuse(response, 503));
    await failure(client.get('/a', { timeoutMs: 50 }));
    expect(busy.received).toHaveLength(1);
    expect(other.received.length).toBeGreaterThan(2);
    const alone = clientOf([busy.url]);
    await failure(alone.get('/a', { timeoutMs: 1000 }));
    expect(busy.received).toHaveLength(2);
  });

  test('asks again at once when a kept connection turns out to be closed', async () => {
    const node = await StubNode.start((_, response) => show(response, 1, 'a'));
    const other = await StubNode.start((_, response) => show(response, 1, 'b'));
    const client = clientOf([node.url, other.url]);
    await client.get('/a');
    let requests = 0;
    node.handle((_, response) => {
      requests += 1;
      if (requests === 1) response.socket?.resetAndDestroy();
      else show(response, 1, 'again');
    });
    expect(await client.get('/a')).toMatchObject({ value: 'again' });
    expect(other.received).toHaveLength(0);
  });

  test('ends at once with the reason of its signal, and closes the connection', async () => {
    const node = await StubNode.start(() => undefined);
    const abort = new AbortController();
    const reading = clientOf([node.url]).get('/a', { signal: abort.signal });
    await vi.waitFor(() => expect(node.received).toHaveLength(1));
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(reading).rejects.toBe(reason);
    await vi.waitFor(async () => expect(await node.connections()).toBe(0));
    await expect(clientOf([node.url]).get('/a', { signal: abort.signal })).rejects.toBe(reason);
  });

  test('shares a signal with as many others as one likes, and takes nothing of it when it has ended', async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on('warning', warn);
    onTestFinished(() => void process.off('warning', warn));
    const node = await StubNode.start(() => undefined);
    const { signal } = new AbortController();
    const client = clientOf([node.url]);
    const reading = Array.from({ length: 30 }, () => client.get('/a', { signal }));
    await vi.waitFor(() => expect(node.received).toHaveLength(30));
    expect(getEventListeners(signal, 'abort')).toHaveLength(30);
    node.handle((_, response) => show(response, 1, 'x'));
    client.close();
    await Promise.allSettled(reading);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(warnings).toEqual([]);
  });

  test('ends when the client is closed', async () => {
    const node = await StubNode.start(() => undefined);
    const client = clientOf([node.url]);
    const reading = failure(client.get('/a'));
    await vi.waitFor(() => expect(node.received).toHaveLength(1));
    client.close();
    expect((await reading).message).toBe('the client is closed');
    expect((await failure(client.get('/a'))).message).toBe('the client is closed');
  });
});

describe('the ring of nodes', () => {
  const nodes = ['http://a', 'http://b', 'http://c'];
  const at = (nowMs: number, notBeforeMs = 0) => ({ nowMs, notBeforeMs });
  const hostAt = (ring: NodeRing, nowMs: number): string => ring.next(nowMs).url.host;

  test('goes on once when several calls have failed on one node', () => {
    const ring = new NodeRing(nodes, 'first');
    const failed = ring.next(0);
    ring.moveOn(failed, at(0));
    ring.moveOn(failed, at(0));
    expect(hostAt(ring, 0)).toBe('b');
    const [b, c] = [ring.next(0), 'c'];
    ring.moveOn(b, at(0));
    // A call that began long ago has only now ended on a node that was left since.
    ring.moveOn(failed, at(0));
    expect(hostAt(ring, 0)).toBe(c);
  });

  test('passes over nodes that want to be left alone, and comes back to them', () => {
    const ring = new NodeRing(nodes, 'first');
    ring.moveOn(ring.next(0), at(0, 500));
    ring.moveOn(ring.next(0), at(0));
    ring.moveOn(ring.next(0), at(0));
    // It is the turn of the first one, but too early.
    expect(hostAt(ring, 100)).toBe('b');
    ring.moveOn(ring.next(100), at(100));
    expect(hostAt(ring, 100)).toBe('c');
    ring.moveOn(ring.next(100), at(100));
    expect(hostAt(ring, 600)).toBe('a');
    ring.moveOn(ring.next(600), at(600, 900));
    ring.moveOn(ring.next(600), at(600, 700));
    ring.moveOn(ring.next(600), at(600, 800));
    // All want to be left alone: the one that does for the shortest time.
    expect(hostAt(ring, 600)).toBe('b');
  });
});

test('many clients with one list of nodes do not all begin with the same one', async () => {
  const nodes = await Promise.all([1, 2].map(() => StubNode.start((_, response) => show(response, 1, ''))));
  const endpoints = nodes.map(({ url }) => url);
  for (let number = 0; number < 40; number += 1) await clientOf(endpoints, { startAt: 'random' }).get('/');
  for (const node of nodes) expect(node.received.length).toBeGreaterThan(0);
});

test.each([[[]], [['10.0.0.1']], [['ftp://a']], [['http://a?b']], [['http://u:p@a']]])(
  'says that %j are no endpoints',
  (endpoints) => {
    expect(() => new MetadClient({ endpoints })).toThrow(TypeError);
  },
);
