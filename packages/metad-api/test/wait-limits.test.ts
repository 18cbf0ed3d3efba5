import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { HeldRequests } from '../src/wait/held-requests.ts';
import { listening } from './listening.ts';
import { JSON_TYPE, settle, TestNode } from './test-node.ts';
import { TestStream } from './test-stream.ts';

const CLIENT = '10.1.0.1';

async function openNode(...args: ConstructorParameters<typeof TestNode>): Promise<TestNode> {
  const node = new TestNode(...args);
  await node.write('PUT', '/v1/data', { a: '1', b: '2' });
  await node.allow(CLIENT, '/');
  return node;
}

describe('jitter', () => {
  test('answers a change after a random part of it, with the newest state', async () => {
    const draws = [0.1, 0.9];
    const node = await openNode({}, { random: () => draws.shift() ?? 0 });
    const soon = await node.hold('/a?wait=true&jitter=10');
    const late = await node.hold('/a?wait=true&jitter=10');
    const plain = await node.hold('/a?wait=true');
    await node.write('PUT', '/v1/data/a', 'x');
    expect(await plain.json()).toBe('x');
    expect(await soon.isAnswered()).toBe(false);
    expect(node.apps.waiters()).toBe(2);
    node.clock.advance(1200);
    expect(await soon.json()).toBe('x');
    await node.write('PUT', '/v1/data/a', 'y');
    expect(await late.isAnswered()).toBe(false);
    node.clock.advance(8000);
    expect(await late.json()).toBe('y');
    expect([node.apps.waiters(), node.clock.timerCount]).toEqual([0, 0]);
  });

  test('never outlasts the time-out', async () => {
    const node = await openNode({}, { random: () => 0.99 });
    const held = await node.hold('/a?wait=true&jitter=60&timeout=5');
    await node.write('PUT', '/v1/data/a', 'x');
    node.clock.advance(5200);
    expect(await held.json()).toBe('x');
  });

  test('is what the operator sets, unless the request says: at most a minute', async () => {
    const node = await openNode({ waitJitterSeconds: 10 }, { random: () => 0.5 });
    const standard = await node.hold('/a?wait=true&timeout=500');
    const long = await node.hold('/a?wait=true&timeout=500&jitter=99999');
    const none = await node.hold('/a?wait=true&jitter=0');
    await node.write('PUT', '/v1/data/a', 'x');
    expect(await none.isAnswered()).toBe(true);
    node.clock.advance(5200);
    expect([await standard.isAnswered(), await long.isAnswered()]).toEqual([true, false]);
    node.clock.advance(25_000);
    expect(await long.isAnswered()).toBe(true);
    expect((await node.metadata('/a?wait=true&jitter=x')).status).toBe(400);
  });

  test('delays no one who comes with an old version, nor the end of the node', async () => {
    const node = await openNode({}, { random: () => 0.5 });
    await node.write('PUT', '/v1/data/a', 'x');
    expect((await node.metadata('/a?wait=true&jitter=10&prev_version=2')).status).toBe(200);
    const held = await node.hold('/a?wait=true&jitter=10');
    await node.write('PUT', '/v1/data/a', 'y');
    node.apps.stop();
    expect((await held.response).status).toBe(503);
  });

  test('spreads the events of streams too, and a heartbeat says nothing of a change that is on its way', async () => {
    const node = await openNode({}, { random: () => 0.9 });
    const stream = await TestStream.open(node, '/a?jitter=60');
    await node.write('PUT', '/v1/data/a', 'x');
    node.clock.advance(14_000);
    expect([stream.lastId, await stream.data()]).toEqual(['2', ['1']]);
    await node.write('PUT', '/v1/data/a', 'y');
    node.clock.advance(42_000);
    expect(await stream.data()).toEqual(['1', 'y']);
  });
});

describe('as many as one address may hold', () => {
  test('one more is told to come back later, others are not', async () => {
    const node = await openNode({ maxWaitersPerAddress: 2 });
    const first = await node.hold('/a?wait=true');
    const stream = await TestStream.open(node, '/a');
    for (const headers of [JSON_TYPE, { accept: 'text/event-stream' }]) {
      const refused = await node.metadata('/a?wait=true', { headers });
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    }
    await node.hold('/a?wait=true', { client: '10.1.0.2' });
    expect((await node.metadata('/a')).status).toBe(200);
    stream.leave();
    await settle();
    await node.hold('/b?wait=true');
    await node.write('PUT', '/v1/data/a', 'x');
    await first.response;
    await node.hold('/b?wait=true');
    expect((await node.metadata('/b?wait=true')).status).toBe(429);
  });

  test('those who wait for a version count as well', async () => {
    const node = await openNode({ maxWaitersPerAddress: 1 });
    const held = await node.hold('/a?min_version=50');
    expect((await node.metadata('/a?min_version=50')).status).toBe(503);
    node.clock.advance(6000);
    expect((await held.response).status).toBe(503);
    await node.hold('/a?min_version=50');
  });

  test('0: no limit of its own', async () => {
    const node = await openNode({ maxWaitersPerAddress: 0, maxWaiters: 3 });
    for (let i = 0; i < 3; i += 1) await node.hold('/a?wait=true');
    expect((await node.metadata('/a?wait=true')).status).toBe(503);
  });

  test('is free again when connections break, in whatever they wait for', async () => {
    const node = new TestNode({ maxWaitersPerAddress: 30 });
    await node.write('PUT', '/v1/data', { a: '1' });
    await node.allow('127.0.0.1', '/');
    const { port } = await listening(node.apps.metadataListener);
    for (let round = 0; round < 3; round += 1) {
      const sockets = Array.from({ length: 10 }, () => connect(port, '127.0.0.1'));
      for (const socket of sockets) {
        socket.write('GET /a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n');
        socket.write('GET /a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n');
        socket.write('GET /a?min_version=99 HTTP/1.1\r\nHost: x\r\n\r\n');
      }
      await vi.waitFor(() => expect(node.apps.waiters()).toBe(30));
      for (const socket of sockets) socket.destroy();
      await vi.waitFor(() => expect(node.apps.waiters()).toBe(0));
    }
    expect(node.clock.timerCount).toBe(0);
  });

  test('counts what is held, by any mix of clients', () => {
    const step = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean());
    fc.assert(
      fc.property(fc.array(step), fc.nat(3), (steps, maxWaitersPerAddress) => {
        const held = new HeldRequests({ maxWaiters: 5, maxWaitersPerAddress });
        const model: string[] = [];
        for (const [client, holds] of steps) {
          const own = model.filter((one) => one === client).length;
          if (holds) {
            const isTooMuch = maxWaitersPerAddress > 0 && own >= maxWaitersPerAddress;
            const expected = isTooMuch ? 429 : model.length >= 5 ? 503 : undefined;
            expect(held.hold(client)?.status).toBe(expected);
            if (expected === undefined) model.push(client);
          } else if (own > 0) {
            held.release(client);
            model.splice(model.indexOf(client), 1);
          }
          expect(held.count).toBe(model.length);
        }
      }),
    );
  });
});

describe('a node that may no longer answer', () => {
  test('does not answer those who waited either', async () => {
    const node = await openNode();
    const held = await node.hold('/a?wait=true&timeout=5');
    node.replica.caughtUp = false;
    node.clock.advance(5200);
    expect((await held.response).status).toBe(503);
  });

  test('tells those who wait for a version that it stops', async () => {
    const node = await openNode();
    const ahead = await node.hold('/a?wait=true&prev_version=50');
    const tagged = await node.hold('/a', { headers: { 'if-none-match': '"50"' } });
    node.apps.stop();
    for (const held of [ahead, tagged]) {
      const response = await held.response;
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    }
    expect(node.apps.waiters()).toBe(0);
  });
});
