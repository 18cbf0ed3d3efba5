import { Agent, get, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { closeServer, ListenError, listen } from '../src/http-listener.ts';

const limits = { headerTimeoutMs: 9_000, requestTimeoutMs: 11_000 };
const servers: Server[] = [];
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => closeServer(server, 0)));
});

async function start(
  handler: Parameters<typeof listen>[0]['handler'],
): Promise<{ server: Server; port: number }> {
  const server = await listen({
    setting: 'listen',
    address: { host: '127.0.0.1', port: 0 },
    handler,
    limits,
  });
  servers.push(server);
  return { server, port: (server.address() as AddressInfo).port };
}

function ask(port: number): Promise<{ status: number | undefined; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent }, (response) => {
      response.resume();
      response.on('end', () =>
        resolve({ status: response.statusCode, connection: response.headers.connection }),
      );
    }).on('error', reject);
  });
}

test('a taken port names the setting and the address', async () => {
  const { port } = await start((_, response) => response.end());
  const taken = listen({
    setting: 'listen_manage',
    address: { host: '127.0.0.1', port },
    handler: () => undefined,
    limits,
  });
  await expect(taken).rejects.toThrow(ListenError);
  await expect(taken).rejects.toThrow(`127.0.0.1:${port} (--listen_manage): the port is already in use`);
});

test('a client has as long for its headers and for its request as the settings say', async () => {
  const { server } = await start((_, response) => response.end());
  expect(server).toMatchObject({ headersTimeout: 9_000, requestTimeout: 11_000 });
  // Node's own: how often it looks whose time is over.
  expect(server).toMatchObject({ connectionsCheckingInterval: 900 });
});

test('an address that is not of this machine is named', async () => {
  const foreign = listen({
    setting: 'listen',
    address: { host: '192.0.2.1', port: 0 },
    handler: () => undefined,
    limits,
  });
  await expect(foreign).rejects.toThrow('this machine has no such address');
});

test('closing does not wait for a client that keeps its connection busy', async () => {
  const { server, port } = await start((_, response) => setImmediate(() => response.end('x')));
  expect(await ask(port)).toMatchObject({ status: 200, connection: 'keep-alive' });
  const busy = (async () => {
    for (;;) if ((await ask(port)).connection === 'close') return 'told to go';
  })();
  // Without a bound that would matter: the client is told, so the grace is not needed.
  await closeServer(server, 3_600_000);
  expect(await busy.catch((error: NodeJS.ErrnoException) => error.code)).toMatch(
    /told to go|ECONNREFUSED|ECONNRESET/,
  );
});

test('closing does not wait for a connection that never says anything', async () => {
  const { server, port } = await start((_, response) => response.end('x'));
  const silent = connect(port, '127.0.0.1');
  await new Promise((resolve) => server.once('connection', resolve));
  await closeServer(server, 3_600_000);
  silent.destroy();
});

test('closing lets an open request end', async () => {
  let release = (): void => undefined;
  const { server, port } = await start((_, response) => {
    release = () => response.end('x');
  });
  const open = ask(port);
  await new Promise((resolve) => server.once('request', resolve));
  const closed = closeServer(server, 3_600_000);
  release();
  expect((await open).status).toBe(200);
  await closed;
});

/** What the server sends on one connection that it closes at the end, for a text that is sent at once. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.end(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

test('requests of one connection are begun in their order, each once the one before is answered', async () => {
  const begun: string[] = [];
  const { port } = await start(async (request, response) => {
    begun.push(`${request.method} begins`);
    for await (const chunk of request) begun.push(String(chunk));
    begun.push(`${request.method} ends`);
    response.end();
  });
  const put = 'PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb';
  const answer = await exchange(port, `${put}DELETE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
  expect(begun).toEqual(['PUT begins', 'b', 'PUT ends', 'DELETE begins', 'DELETE ends']);
});

test('an offer to upgrade that is declined is passed over, and nothing else of the request', async () => {
  const server = await listen({
    setting: 'listen_cluster',
    address: { host: '127.0.0.1', port: 0 },
    handler: async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      response.end(`${request.method} ${request.url} ${request.headers['x-own']} ${body};`);
    },
    onUpgrade: () => 'declined',
    limits,
  });
  servers.push(server);
  const { port } = server.address() as AddressInfo;
  const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
  const post = `POST /a?b HTTP/1.1\r\nHost: x\r\nX-Own: own\r\n${offer}Content-Length: 3\r\n\r\none`;
  expect(await exchange(port, `${post}GET /c HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 200 .*POST \/a\?b own one;.*HTTP\/1\.1 200 .*GET \/c undefined ;/s,
  );
  expect(await exchange(port, `GET /d HTTP/1.1\r\nHost: x\r\n${offer}\r\n`)).toMatch(/ 200 .*GET \/d /s);
});
