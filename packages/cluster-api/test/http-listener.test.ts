import { Agent, get, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { closeServer, ListenError, listen } from '../src/http-listener.ts';

const limits = { headerTimeoutMs: 10_000, requestTimeoutMs: 10_000 };
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
