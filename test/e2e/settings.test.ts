import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, type Reply, send } from './http.ts';
import { sendRaw } from './raw-socket.ts';
import { waitUntil } from './wait-until.ts';

// Two nodes, each alone, whose settings differ from the defaults in all that a client can notice. The one has them from
// a file, the other from its environment.

const cluster = useCluster();
const FILE = 1;
const VARIABLES = 2;
const MANAGE_TOKEN = 'token-of-the-manage-port';
const CLUSTER_TOKEN = 'token-of-the-cluster-port';
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

const client = '203.0.113.7';
const neighbour = '203.0.113.8';
const here = '127.0.0.1';
const files = cluster.scratch('files');
const pidFile = join(files, 'pid');
const MAX_WAITERS = 5;
const MAX_WAITERS_PER_ADDRESS = 3;

const settingsFile = `
manage_token: ${MANAGE_TOKEN}
cluster_token: ${CLUSTER_TOKEN}
trusted_proxies:
  - 127.0.0.1
  - 10.0.0.0/8
max_body_size: 2KiB
max_value_size: 100
max_leaves: 5
max-path-size: 32
max_path_depth: 4
max_waiters: ${MAX_WAITERS}
max_waiters_per_address: ${MAX_WAITERS_PER_ADDRESS}
wait_timeout: 1s
wait_jitter: 1m
catch_up_wait: 0s
header_timeout: 1s
pid_file: ${pidFile}
log_level: debug
`;

const variables = {
  METAD_TRUSTED_PROXIES: '10.0.0.0/8',
  METAD_WAIT_TIMEOUT: '2s',
  METAD_MAX_WAIT_TIMEOUT: '2s',
  // At most request_timeout.
  METAD_HEADER_TIMEOUT: '2s',
  METAD_REQUEST_TIMEOUT: '2s',
  METAD_SNAPSHOT_LOG_BYTES: '1MiB',
  METAD_LOG_LEVEL: 'warning',
};

beforeAll(async () => {
  const file = join(files, 'metad.yaml');
  writeFileSync(file, settingsFile);
  await cluster.add(FILE, '--config', file);
  await cluster.add(VARIABLES);
  const tokenFile = join(files, 'token');
  writeFileSync(tokenFile, `${MANAGE_TOKEN}\n`);
  cluster.setEnvironment(VARIABLES, { ...variables, METAD_MANAGE_TOKEN_FILE: tokenFile });
  await Promise.all([cluster.start(FILE), cluster.start(VARIABLES)]);
  for (const id of cluster.ids) {
    expect(await put(id, '/data', { seen: 'by the client', here: 'by this machine' })).toMatchObject(OK);
    await allow(id, client, '/seen');
    await allow(id, neighbour, '/seen');
    await allow(id, here, '/here');
  }
});

const OK = { status: 200 };

function manage(
  id: number,
  method: string,
  path: string,
  { body, token = MANAGE_TOKEN }: { readonly body?: unknown; readonly token?: string | null } = {},
): Promise<Reply> {
  const headers = { Accept: 'application/json', ...(token === null ? {} : bearer(token)) };
  const text = body === undefined ? undefined : JSON.stringify(body);
  return send({ port: cluster.node(id).ports.manage, method, path, headers, body: text });
}

function put(id: number, path: string, body: unknown): Promise<Reply> {
  return manage(id, 'PUT', `/v1${path}`, { body });
}

async function allow(id: number, host: string, path: string): Promise<void> {
  expect(await put(id, '/rule', { [host]: [{ path, mode: 1 }] })).toMatchObject(OK);
}

function write(key: string, value: string): Promise<Reply> {
  return send({
    port: cluster.node(FILE).ports.cluster,
    method: 'POST',
    path: '/write',
    headers: bearer(CLUSTER_TOKEN),
    body: JSON.stringify({ Put: { key, value } }),
  });
}

function unfinishedHeaders(): Promise<string>[] {
  const { metadata, manage, cluster: peers } = cluster.node(FILE).ports;
  return [metadata, manage, peers].flatMap((port) => [
    sendRaw(port),
    sendRaw(port, 'GET /health HTTP/1.1\r\nHost: x\r\n'),
  ]);
}

function unfinishedBodies(): Promise<string>[] {
  const { manage, cluster: peers } = cluster.node(VARIABLES).ports;
  const rest = `HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${MANAGE_TOKEN}\r\nContent-Length: 100\r\n\r\n{`;
  return [sendRaw(manage, `PUT /v1/data ${rest}`), sendRaw(peers, `POST /write ${rest}`)];
}

describe('tokens', () => {
  test.for([FILE, VARIABLES])('the manage port of node %i asks for its token', async (id) => {
    for (const token of [null, CLUSTER_TOKEN]) {
      expect((await manage(id, 'GET', '/v1/data', { token })).status).toBe(401);
      expect((await manage(id, 'PUT', '/v1/data/x', { body: 'y', token })).status).toBe(401);
      expect((await manage(id, 'GET', '/metrics', { token })).status).toBe(401);
    }
    for (const path of ['/v1/data', '/metrics']) expect(await manage(id, 'GET', path)).toMatchObject(OK);
    for (const path of ['/health', '/ready'])
      expect(await manage(id, 'GET', path, { token: null })).toMatchObject(OK);
  });

  test('the cluster port asks for its own', async () => {
    const { cluster: port } = cluster.node(FILE).ports;
    const status = async (path: string, headers = {}) => (await send({ port, path, headers })).status;
    expect(await status('/metrics')).toBe(401);
    expect(await status('/metrics', bearer(MANAGE_TOKEN))).toBe(401);
    expect(await status('/metrics', bearer(CLUSTER_TOKEN))).toBe(200);
    expect(await status('/health')).toBe(200);
  });

  test('they are in no log', () => {
    for (const id of cluster.ids) {
      const { log } = cluster.process(id);
      for (const token of [MANAGE_TOKEN, CLUSTER_TOKEN]) expect(log).not.toContain(token);
    }
  });
});

describe('X-Forwarded-For', () => {
  test.for([client, `${client}, 10.1.2.3`, `192.0.2.1, ${client}`])(
    'names the client where this machine is a trusted proxy: %s',
    async (header) => {
      expect(json(await cluster.metadata(FILE, '/', header))).toEqual({ seen: 'by the client' });
    },
  );

  test('counts for nothing where it is none', async () => {
    expect(json(await cluster.metadata(VARIABLES, '/', client))).toEqual({ here: 'by this machine' });
  });
});

describe('the size of writes', () => {
  const leaves = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [i, 'x']));

  test.for([
    ['max_value_size', 'x'.repeat(100), 'x'.repeat(101), /100 bytes/],
    ['max_leaves', leaves(5), leaves(6), /at most 5 values/],
    ['max_body_size', 'x', 'x'.repeat(2100), /2048 bytes/],
  ] as const)('%s holds for the manage API', async ([, allowed, excess, reason]) => {
    expect(await put(FILE, '/data/size', allowed)).toMatchObject(OK);
    const reply = await put(FILE, '/data/size', excess);
    expect([reply.status, reply.text]).toEqual([413, expect.stringMatching(reason)]);
  });

  test.for([
    ['max_path_size', 'n'.repeat(29), 'n'.repeat(30), /longer than 32 bytes/, 414],
    ['max_path_depth', 'b/c/d', 'b/c/d/e', /deeper than 4 levels/, 400],
  ] as const)('%s holds on every port', async ([, allowed, excess, reason, readStatus]) => {
    expect(await put(FILE, '/data/p', { [allowed]: 'x' })).toMatchObject(OK);
    const refused = await put(FILE, '/data/p', { [excess]: 'x' });
    expect([refused.status, refused.text]).toEqual([400, expect.stringMatching(reason)]);
    expect(await write(`p/${allowed}`, 'x')).toMatchObject(OK);
    const written = await write(`p/${excess}`, 'x');
    expect([written.status, written.headers['x-metad-error']]).toEqual([400, expect.stringMatching(reason)]);
    // There is one, but not for this client.
    expect((await cluster.metadata(FILE, `/p/${allowed}`, client)).status).toBe(404);
    const read = await cluster.metadata(FILE, `/p/${excess}`, client);
    expect([read.status, read.text]).toEqual([readStatus, expect.stringMatching(reason)]);
  });

  test.for([
    ['max_value_size', 'x'.repeat(100), 'x'.repeat(101), /100 bytes/],
    ['max_body_size', 'x', 'x'.repeat(2100), /2048 bytes/],
  ] as const)('%s holds for the KV API', async ([, allowed, excess, reason]) => {
    expect(await write('size', allowed)).toMatchObject(OK);
    const reply = await write('size', excess);
    expect([reply.status, reply.headers['x-metad-error']]).toEqual([413, expect.stringMatching(reason)]);
  });
});

describe('waits', () => {
  const abort: AbortController[] = [];

  afterEach(async () => {
    for (const one of abort.splice(0)) one.abort();
    await held(0);
  });

  /** A read that waits for a change of what the client sees. */
  function wait(id: number, host: string, query = ''): Promise<Reply> {
    const { signal } = abort[abort.push(new AbortController()) - 1] ?? {};
    const headers = { Accept: 'application/json', 'X-Forwarded-For': host };
    const { metadata: port } = cluster.node(id).ports;
    const reply = send({ port, path: `/?wait=true${query}`, headers, signal });
    // Whoever is sent away at the end of a test has nothing to say.
    reply.catch(() => undefined);
    return reply;
  }

  async function heldNow(): Promise<number> {
    return Number(/^metad_waiters (\d+)$/m.exec((await manage(FILE, 'GET', '/metrics')).text)?.[1]);
  }

  function held(count: number): Promise<true> {
    return waitUntil(async () => (await heldNow()) === count, `${count} waits to be held`);
  }

  const LONG = '&timeout=300';

  test('max_waiters_per_address and max_waiters hold, and a change lets everybody go', async () => {
    const waits = Array.from({ length: MAX_WAITERS_PER_ADDRESS }, () =>
      wait(FILE, client, `${LONG}&jitter=0`),
    );
    await held(waits.length);
    expect((await wait(FILE, client, LONG)).status).toBe(429);
    while (waits.length < MAX_WAITERS) waits.push(wait(FILE, neighbour, `${LONG}&jitter=0`));
    await held(MAX_WAITERS);
    const refused = await wait(FILE, neighbour, LONG);
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, expect.stringMatching(/^\d+$/)]);
    expect(await put(FILE, '/data/seen', 'changed')).toMatchObject(OK);
    for (const reply of await Promise.all(waits)) expect(json(reply)).toEqual({ seen: 'changed' });
  });

  test('wait_jitter spreads the answers to those who do not say how much', async () => {
    // Nobody knows when each is answered; but hardly all of them at once, with a minute for it.
    for (let i = 0; i < MAX_WAITERS_PER_ADDRESS; i += 1) void wait(FILE, client, LONG);
    const atOnce = wait(FILE, neighbour, `${LONG}&jitter=0`);
    await held(MAX_WAITERS_PER_ADDRESS + 1);
    expect(await put(FILE, '/data/seen', 'spread')).toMatchObject(OK);
    expect(json(await atOnce)).toEqual({ seen: 'spread' });
    expect(await heldNow()).toBeGreaterThan(0);
  });

  // Their answers come long before `send` gives up, or never.
  test('wait_timeout ends what asks for no time', async () => {
    expect(await wait(FILE, client)).toMatchObject(OK);
  });

  test('max_wait_timeout ends what asks for more', async () => {
    expect(await wait(VARIABLES, here, '&timeout=600')).toMatchObject(OK);
  });

  test('catch_up_wait: who asks for a version that is far away is sent away before a wait of two seconds ends', async () => {
    const twoSeconds = wait(VARIABLES, here, '&timeout=600');
    const early = cluster.metadata(FILE, '/?min_version=1000000', client);
    expect(await Promise.race([early, twoSeconds])).toMatchObject({ status: 503 });
    await twoSeconds;
  });
});

test('log_level is that of the main thread and of the other', async () => {
  expect(await cluster.metadata(FILE, '/', client)).toMatchObject(OK);
  await waitUntil(() => /"level":"debug".*"thread":"http"/.test(cluster.process(FILE).log), 'a debug line');
  expect(cluster.process(FILE).log).toContain('metad is up');
  expect(cluster.process(VARIABLES).log).not.toMatch(/"level":"(debug|info)"/);
});

test('snapshot_log_bytes keeps the log short', async () => {
  for (let i = 0; i < 4; i += 1) await cluster.write(VARIABLES, 'large', `${i}`.repeat(500_000));
  await waitUntil(async () => (await cluster.metrics(VARIABLES)).Ok.purged, 'the log to be compacted');
});

test('header_timeout and request_timeout: who never says it all is told so, and the connection is closed', async () => {
  for (const answer of await Promise.all([...unfinishedHeaders(), ...unfinishedBodies()])) {
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  }
});

test('pid_file holds the process id while the node runs', async () => {
  expect(Number(readFileSync(pidFile, 'utf8'))).toBe(cluster.process(FILE).pid);
  expect(await cluster.stop(FILE)).toEqual({ code: 0, signal: null });
  expect(existsSync(pidFile)).toBe(false);
});
