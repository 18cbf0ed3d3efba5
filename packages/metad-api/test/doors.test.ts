import { type RequestListener, request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { listening } from './listening.ts';
import { TestNode } from './test-node.ts';

async function serve(listener: RequestListener): Promise<number> {
  return (await listening(listener)).port;
}

interface Reply {
  readonly status: number | undefined;
  readonly names: readonly string[];
  readonly header: (name: string) => string | undefined;
  readonly text: string;
}

function send(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const { statusCode: status, rawHeaders } = response;
        const names = rawHeaders.filter((_, i) => i % 2 === 0);
        const header = (name: string) => response.headers[name.toLowerCase()]?.toString();
        resolve({ status, names, header, text: Buffer.concat(chunks).toString() });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

const door = (node: TestNode): RequestListener => node.apps.metadataListener;

describe('the metadata API over a connection', () => {
  test('spells its headers as documented, for every method and status', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data/a', 'größe');
    await node.allow('127.0.0.1', '/');
    const port = await serve(door(node));
    for (const [method, path, status] of [
      ['GET', '/a', 200],
      ['HEAD', '/a', 200],
      ['GET', '/none', 404],
      ['GET', '/%zz', 400],
      ['POST', '/a', 405],
      ['GET', '/a?consistency=linearizable', 200],
    ] as const) {
      const reply = await send(port, method, path);
      expect(reply.status).toBe(status);
      expect(reply.names).toEqual(expect.arrayContaining(['X-Metad-RequestID', 'X-Metad-Version']));
      expect(reply.names.filter((name) => /^x-metad/i.test(name))).toHaveLength(2);
      expect(reply.header('X-Metad-Version')).toBe('2');
      if (method === 'GET' && status === 200)
        expect([reply.text, reply.header('Content-Length')]).toEqual(['größe', '7']);
      if (method === 'HEAD') expect([reply.text, reply.header('Content-Length')]).toEqual(['', '7']);
    }
  });

  test('reads the path as it stands on the request line', async () => {
    const node = new TestNode();
    await node.write('PUT', '/v1/data', { 'a b': { к: '1' }, 'x\\y': '2' });
    await node.allow('127.0.0.1', '/');
    const port = await serve(door(node));
    expect((await send(port, 'GET', '//q/../a%20b%2F%D0%BA')).text).toBe('1');
    expect((await send(port, 'GET', '/x%5Cy')).text).toBe('2');
  });

  test('takes the client from the connection or the header', async () => {
    const node = new TestNode({ xff: true });
    await node.write('PUT', '/v1/data', { a: '1' });
    await node.allow('10.1.0.1', '/');
    const port = await serve(door(node));
    expect((await send(port, 'GET', '/a')).status).toBe(404);
    expect((await send(port, 'GET', '/a', { 'X-Forwarded-For': '10.9.9.9, 10.1.0.1' })).status).toBe(200);
  });

  test('notices when a client that waits goes away', async () => {
    const node = new TestNode();
    await node.allow('127.0.0.1', '/');
    const port = await serve(door(node));
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n');
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(1));
    socket.destroy();
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(0));
    expect(node.clock.timerCount).toBe(0);
  });

  test('notices it for every request that the client sent ahead', async () => {
    const node = new TestNode();
    await node.allow('127.0.0.1', '/');
    const port = await serve(door(node));
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /a?wait=true HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20));
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(20));
    socket.destroy();
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(0));
  });

  test('answers a wait over the connection that holds it', async () => {
    const node = new TestNode();
    await node.allow('127.0.0.1', '/');
    const port = await serve(door(node));
    const reply = send(port, 'GET', '/a?wait=true');
    await vi.waitFor(() => expect(node.apps.waiters()).toBe(1));
    await node.write('PUT', '/v1/data/a', 'new');
    expect((await reply).text).toBe('new');
    expect(node.apps.waiters()).toBe(0);
  });
});

describe('an answer', () => {
  test('leaves as one write, and the answers to requests sent ahead leave whole and in order', async () => {
    const node = new TestNode();
    await node.allow('127.0.0.1', '/');
    const large = 'ü'.repeat(60_000);
    await node.write('PUT', '/v1/data', { small: 'größe', empty: '', large });
    let writes = 0;
    const port = await serve((incoming, outgoing) => {
      const { socket } = incoming;
      const write = socket._write.bind(socket);
      const writev = socket._writev?.bind(socket);
      socket._write = (...rest) => {
        writes += 1;
        write(...rest);
      };
      socket._writev = (...rest) => {
        writes += 100;
        writev?.(...rest);
      };
      door(node)(incoming, outgoing);
    });
    expect((await send(port, 'GET', '/small')).text).toBe('größe');
    expect(writes).toBe(1);
    const ahead = ['GET /small', 'GET /large', 'HEAD /large', 'GET /empty', 'GET /none', 'GET /large'];
    const socket = connect(port, '127.0.0.1');
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    const ended = new Promise((resolve) => socket.on('close', resolve));
    const requests = ahead.map((line, i) => {
      const last = i === ahead.length - 1 ? 'Connection: close\r\n' : '';
      return `${line} HTTP/1.1\r\nHost: x\r\n${last}\r\n`;
    });
    socket.write(requests.join(''));
    await ended;
    const bodies = Buffer.concat(received)
      .toString()
      .split(/HTTP\/1\.1 .*?\r\n\r\n/s)
      .slice(1);
    expect(bodies).toEqual(['größe', large, '', '', 'Not found\n', large]);
  });
});

describe('the manage API over a connection', () => {
  test('spells its headers as documented', async () => {
    const node = new TestNode();
    const port = await serve(node.apps.manageListener);
    for (const [method, path] of [
      ['GET', '/v1/data'],
      ['HEAD', '/v1/rule'],
      ['PUT', '/v1/data/a'],
      ['PATCH', '/v1/mapping'],
    ] as const) {
      expect((await send(port, method, path)).names).toEqual(
        expect.arrayContaining(['X-Metad-RequestID', 'X-Metad-Version']),
      );
    }
  });

  test('answers a body that is too large, and goes on', async () => {
    const node = new TestNode({ maxBodyBytes: 1000 });
    const port = await serve(node.apps.manageListener);
    expect((await send(port, 'PUT', '/v1/data/a', {}, 'x'.repeat(5000))).status).toBe(413);
    const chunked = await send(
      port,
      'PUT',
      '/v1/data/a',
      { 'transfer-encoding': 'chunked' },
      JSON.stringify('x'.repeat(5000)),
    );
    expect(chunked.status).toBe(413);
    expect((await send(port, 'PUT', '/v1/data/a', { 'transfer-encoding': 'chunked' }, '"x"')).status).toBe(
      200,
    );
  });

  test('reads the path as it stands on the request line, and needs no name of a host', async () => {
    const node = new TestNode();
    const port = await serve(node.apps.manageListener);
    expect((await send(port, 'PUT', '//v1/x/../data/a%20b%2Fc\\d', {}, '"1"')).status).toBe(200);
    const tree = await send(port, 'GET', '/v1/data', { accept: 'application/json' });
    expect(JSON.parse(tree.text)).toEqual({ 'a b': { 'c\\d': '1' } });
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (data) => (received += data));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.write('GET /health HTTP/1.0\r\n\r\n');
    await closed;
    expect(received).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('drops a body that nobody has read, and carries the next request on the same connection', async () => {
    const node = new TestNode();
    const port = await serve(node.apps.manageListener);
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (data) => (received += data));
    const answers = () => received.match(/HTTP\/1\.1 \d+/g) ?? [];
    const body = 'x'.repeat(300_000);
    socket.write(`PATCH /v1/data HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
    await vi.waitFor(() => expect(answers()).toEqual(['HTTP/1.1 405']));
    socket.write(`${body}GET /health HTTP/1.1\r\nHost: x\r\n\r\n`);
    await vi.waitFor(() => expect(answers()).toEqual(['HTTP/1.1 405', 'HTTP/1.1 200']));
    socket.destroy();
  });

  test('asks for a body that its client holds back only when it reads it', async () => {
    const node = new TestNode({ maxBodyBytes: 1000, manageToken: 'secret' });
    const port = await serve(node.apps.manageListener);
    const ask = async (method: string, length: number, token = 'secret') => {
      const socket = connect(port, '127.0.0.1');
      let received = '';
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.on('data', (data) => {
        received += data;
        if (received === CONTINUE) socket.write(JSON.stringify('x'.repeat(length - 2)));
        else if (received.startsWith(CONTINUE)) socket.end();
      });
      const head = `${method} /v1/data/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`;
      socket.write(`${head}Expect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`);
      await closed;
      return received;
    };
    // Nothing but the answer, and the node closes the connection: the client never does.
    for (const [refused, status] of [
      [ask('PUT', 1001), 413],
      [ask('PUT', 100_000), 413],
      [ask('PATCH', 100), 405],
      [ask('PUT', 100, 'wrong'), 401],
    ] as const) {
      expect(await refused).toMatch(new RegExp(`^HTTP/1.1 ${status} .*\r\nConnection: close\r\n`, 's'));
    }
    expect(node.replica.commands).toEqual([]);
    const answer = await ask('PUT', 1000);
    expect(answer).toMatch(
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 .*\r\nConnection: keep-alive\r\n/s,
    );
  });

  test('does not wait for the end of such a body for long', async () => {
    const node = new TestNode({ maxBodyBytes: 10 });
    const port = await serve(node.apps.manageListener);
    for (const [method, answer] of [
      ['PATCH', /^HTTP\/1\.1 405/],
      ['PUT', /^HTTP\/1\.1 413/],
    ] as const) {
      const socket = connect(port, '127.0.0.1');
      let received = '';
      socket.on('data', (data) => (received += data));
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.on('error', () => undefined);
      socket.write(`${method} /v1/data/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
      const endless = setInterval(() => socket.write('20\r\n01234567890123456789012345678901\r\n'), 5);
      await closed;
      clearInterval(endless);
      expect(received).toMatch(answer);
    }
  });

  test('leaves nothing behind of a body that breaks off, and takes that for no error of its own', async () => {
    const [errors, statuses]: [unknown[], number[]] = [[], []];
    const node = new TestNode(
      {},
      { onError: (error) => errors.push(error), onRequest: ({ status }) => statuses.push(status) },
    );
    const port = await serve(node.apps.manageListener);
    const socket = connect(port, '127.0.0.1');
    socket.write('PUT /v1/data/a HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n"');
    await new Promise((resolve) => setImmediate(resolve));
    socket.end();
    await vi.waitFor(() => expect(statuses).toEqual([499]));
    expect(errors).toEqual([]);
    expect(node.replica.commands).toEqual([]);
    expect((await send(port, 'PUT', '/v1/data/a', {}, '"x"')).status).toBe(200);
  });
});
