import { connect } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { listening } from './listening.ts';
import { JSON_TYPE, settle, TestNode } from './test-node.ts';

const CLIENT = '10.1.0.1';
/** More than are told in one turn. */
const MANY = 200;

async function openNode(...args: ConstructorParameters<typeof TestNode>): Promise<TestNode> {
  const node = new TestNode(...args);
  await node.write('PUT', '/v1/data', { a: '1', b: '2' });
  await node.allow(CLIENT, '/');
  return node;
}

async function serve(node: TestNode): Promise<number> {
  await node.allow('127.0.0.1', '/');
  return (await listening(node.apps.metadataListener)).port;
}

/** Sends bytes; gives all that comes back until the connection is closed. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
    socket.write(bytes);
  });
}

const get = (path: string, more = '', method = 'GET'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

describe('one change that ends the waits of many', () => {
  test('answers each once, with its own request id, and others in between', async () => {
    const node = await openNode();
    const ids: (string | null)[] = [];
    const order: string[] = [];
    const waits = Array.from({ length: MANY }, async () => {
      const response = await node.metadata('/a?wait=true', { headers: JSON_TYPE });
      ids.push(response.headers.get('x-metad-requestid'));
      order.push('waited');
      return response.json();
    });
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(MANY));
    await node.write('PUT', '/v1/data/a', 'x');
    await new Promise((resolve) => setImmediate(resolve));
    expect(await node.json('/b')).toBe('2');
    order.push('asked');
    expect(await Promise.all(waits)).toEqual(Array.from({ length: MANY }, () => 'x'));
    expect(new Set(ids).size).toBe(MANY);
    expect(order.indexOf('asked')).toBeLessThan(MANY);
    expect([node.apps.waiters(), node.clock.timerCount]).toEqual([0, 0]);
  });

  test('misses none that is held again, or ends otherwise, while others are still told', async () => {
    const node = await openNode();
    let answers = 0;
    const follow = async (changes: number): Promise<void> => {
      for (let change = 0; change < changes; change += 1) {
        const response = await node.metadata('/a?wait=true&timeout=600', { headers: JSON_TYPE });
        expect(await response.json()).toBe(`x${change + 1}`);
        answers += 1;
      }
    };
    const all = Array.from({ length: MANY }, () => follow(3));
    const stopped = Array.from({ length: MANY }, () => node.metadata('/b?wait=true'));
    for (let change = 1; change <= 3; change += 1) {
      // Those who are yet to be told of the last change are counted, too.
      await vi.waitFor(() => expect([answers, node.apps.waiters()]).toEqual([(change - 1) * MANY, 2 * MANY]));
      await node.write('PUT', '/v1/data/a', `x${change}`);
    }
    node.apps.stop();
    await Promise.all(all);
    expect(answers).toBe(3 * MANY);
    for (const response of await Promise.all(stopped)) expect(response.status).toBe(503);
    expect(node.apps.waiters()).toBe(0);
  });

  test('tells those behind one whose answer failed', async () => {
    const failures: unknown[] = [];
    const node = await openNode({}, { onError: (error) => failures.push(error) });
    const held = [await node.hold('/a?wait=true'), await node.hold('/?wait=true')];
    const read = vi.spyOn(node.replica.state, 'read');
    read.mockImplementationOnce(() => {
      throw new Error('the disk is gone');
    });
    node.replica.applyAll([{ type: 'replace', tree: 'data', path: '/a', leaves: [['/a', 'x']] }]);
    const responses = await Promise.all(held.map(({ response }) => response));
    expect(responses.map(({ status }) => status).toSorted()).toEqual([200, 500]);
    expect(failures).toEqual([new Error('the disk is gone')]);
    expect(node.apps.waiters()).toBe(0);
  });
});

describe('over a connection', () => {
  test('waits and reads that were sent ahead are answered in their order, each as it asked', async () => {
    const node = await openNode();
    const port = await serve(node);
    const received = exchange(
      port,
      get('/a?wait=true') +
        get('/b') +
        get('/a?wait=true', '', 'HEAD') +
        get('/a?wait=true', 'Connection: close\r\n'),
    );
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(3));
    await node.write('PUT', '/v1/data/a', 'größer');
    const text = (await received).replace(/^(?:Date|ETag|X-Metad-\w+|Keep-Alive): .*\r\n/gm, '');
    const head = (length: number, connection = 'keep-alive'): string =>
      [
        'HTTP/1.1 200 OK',
        'Content-Type: text/plain; charset=utf-8',
        `Content-Length: ${length}`,
        'Cache-Control: private, no-cache',
        'Vary: Accept',
        `Connection: ${connection}`,
        '\r\n',
      ].join('\r\n');
    const expected = `${head(8)}größer${head(1)}2${head(8)}${head(8, 'close')}größer`;
    expect(text).toBe(expected);
  });

  test('a client that has gone by the time it is told leaves room for another', async () => {
    const node = await openNode({ maxWaiters: 1 });
    const port = await serve(node);
    const socket = connect(port, '127.0.0.1');
    socket.write(get('/a?wait=true'));
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(1));
    socket.destroy();
    await node.write('PUT', '/v1/data/a', 'x');
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(0));
    const next = await node.hold('/a?wait=true');
    await settle();
    expect(await next.isAnswered()).toBe(false);
  });
});
