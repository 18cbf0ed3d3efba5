import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { StateDatabase, Store, version, type WriteResult } from '@metad/kv-store';
import { inviteOnRead } from '@metad/metad-api';
import { EMPTY_MEMBERSHIP, logIndex, nodeId, term } from '@metad/raft-core';
import { Hono } from 'hono';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { addKvRoutes } from '../src/cluster-http/kv-routes.ts';
import { createWriteDoor, type WriteDoorDeps } from '../src/cluster-http/write-door.ts';
import { loadConfig } from '../src/config/load-config.ts';
import type { CallOutcome } from '../src/consensus/call.ts';
import { WriteTrace } from '../src/consensus/write-trace.ts';

interface Answer {
  readonly status: number | undefined;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

let outcome: CallOutcome | Error;
let errors: unknown[];
let passedOn: number;
let authors: Uint8Array[];
let servers: Server[];
let store: Store;
let state: StateDatabase;
/** Through the door, and through the framework alone. */
let ports: readonly [number, number];

function limits() {
  const loaded = loadConfig([], {});
  if (loaded.type !== 'config') throw new Error(loaded.output);
  return { ...loaded.config.limits, maxBodyBytes: 4096, maxValueBytes: 64, maxPathDepth: 4 };
}

function done(result: WriteResult): CallOutcome {
  const logId = { term: term(1), leader: nodeId(1), index: logIndex(1) };
  return { type: 'done', logId, result, membership: EMPTY_MEMBERSHIP };
}

function frameworkOf(deps: WriteDoorDeps): RequestListener {
  const app = new Hono();
  const absent = (): never => {
    throw new Error('only writes are asked for');
  };
  addKvRoutes(app, {
    ...deps,
    node: {
      readBarrier: absent,
      state: { role: 'leader', term: 1, leader: null, caughtUp: true, isRemoved: false, quarantine: null },
    },
    state,
  });
  app.onError((error, c) => {
    errors.push(error);
    return c.json({ err: { code: 500, message: 'internal error' } }, 500);
  });
  return getRequestListener(app.fetch);
}

async function open(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  inviteOnRead(server);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

beforeEach(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'metad-write-door-'));
  store = Store.open(directory);
  state = StateDatabase.open(store.stateFile);
  onTestFinished(() => rmSync(directory, { recursive: true }));
  outcome = done({ type: 'applied', version: version(7) });
  errors = [];
  authors = [];
  servers = [];
  passedOn = 0;
  const deps: WriteDoorDeps = {
    router: {
      execute: (call) => {
        if (call.type === 'propose') authors.push(call.command);
        return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
      },
    },
    trace: new WriteTrace(),
    limits: limits(),
    clusterToken: null,
    onError: (error) => errors.push(error),
  };
  const framework = frameworkOf(deps);
  const door = createWriteDoor(deps, (incoming, outgoing) => {
    passedOn += 1;
    framework(incoming, outgoing);
  });
  ports = [await open(door), await open(framework)];
});

afterEach(() => {
  state.close();
  store.close();
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

function ask(
  port: number,
  options: {
    path?: string;
    method?: string;
    chunks: readonly (string | Buffer)[];
    isChunked?: boolean;
    key?: string;
  },
): Promise<Answer> {
  const { path = '/write', method = 'POST', chunks, isChunked = false, key } = options;
  const length = chunks.reduce((sum, chunk) => sum + Buffer.byteLength(chunk), 0);
  const headers = {
    ...(isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }),
    ...(key === undefined ? {} : { 'Idempotency-Key': key }),
  };
  return new Promise((resolve, reject) => {
    const sent = request({ port, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => {
        const { date: _, ...rest } = response.headers;
        resolve({ status: response.statusCode, headers: rest, body });
      });
    });
    sent.on('error', reject);
    for (const chunk of chunks) sent.write(chunk);
    sent.end();
  });
}

/** Both answers, which must be the same. */
async function askBoth(options: Parameters<typeof ask>[1]): Promise<Answer> {
  const [door, framework] = [await ask(ports[0], options), await ask(ports[1], options)];
  expect(door).toEqual(framework);
  return door;
}

const PUT = '{"Put":{"key":"a","value":"1"}}';

test.each([
  ['a write', { chunks: [PUT] }],
  ['a write in pieces', { chunks: ['{"Put":{"key":"a",', '"value":"ä"}}'] }],
  ['a write with a key', { chunks: [PUT], key: 'k-1' }],
  ['a key that is none', { chunks: [PUT], key: 'two words' }],
  ['a deletion', { chunks: ['{"Del":{"key":"/a/b"}}'] }],
  ['a mark at the beginning', { chunks: [`\ufeff${PUT}`] }],
  ['no body', { chunks: [] }],
  ['no JSON', { chunks: ['{"Put":'] }],
  ['another shape', { chunks: ['{"Put":{"key":"a"}}'] }],
  ['a key that is too deep', { chunks: ['{"Del":{"key":"a/b/c/d/e/f"}}'] }],
  ['a value that is too long', { chunks: [JSON.stringify({ Put: { key: 'a', value: 'x'.repeat(65) } })] }],
  ['an ill-formed value', { chunks: ['{"Put":{"key":"a","value":"\\ud800"}}'] }],
])('%s is answered as by the framework, without it', async (_, options) => {
  await askBoth(options);
  expect(passedOn).toBe(0);
  const [one, other] = authors;
  expect(one).toEqual(other);
});

test.each([
  [['{"Put":{"key":"a","value":"', Buffer.from([0xc3]), '"}}']],
  [[Buffer.concat([Buffer.from('{"Put":{"key":"a'), Buffer.from([0xff]), Buffer.from('","value":""}}')])]],
])('a write that is no UTF-8 is refused, and nothing is stored in its place', async (chunks) => {
  const answer = await askBoth({ chunks });
  expect([answer.status, answer.body]).toEqual([400, '"Err"']);
  expect(answer.headers['x-metad-error']).toMatch(/^invalid json: .* no UTF-8$/);
  expect((await ask(ports[1], { chunks, path: '/read' })).status).toBe(400);
  expect(authors).toEqual([]);
});

test.each([
  ['a body of unknown length', { chunks: [PUT], isChunked: true }],
  ['a body that is too large', { chunks: ['x'.repeat(5000)] }],
  ['a query', { chunks: [PUT], path: '/write?a=1' }],
  ['another method', { chunks: [], method: 'PUT' }],
  ['another path', { chunks: [PUT], path: '/writes' }],
])('%s goes to the framework', async (_, options) => {
  await askBoth(options);
  expect(passedOn).toBe(1);
});

test.each<[string, CallOutcome]>([
  ['repeated', done({ type: 'repeated', version: version(3) })],
  ['keyReused', done({ type: 'keyReused', version: version(3) })],
  ['preconditionFailed', done({ type: 'preconditionFailed', version: version(3), precondition: 0 })],
  ['unknown', { type: 'unknown', message: 'no quorum' }],
  ['overloaded', { type: 'refused', error: { type: 'overloaded' } }],
  ['tooLarge', { type: 'refused', error: { type: 'tooLarge', maxBytes: 5 } }],
  ['stateFull', { type: 'refused', error: { type: 'stateFull', maxBytes: 5 } }],
])('the outcome %s is told as by the framework', async (_, told) => {
  outcome = told;
  await askBoth({ chunks: [PUT] });
  expect(passedOn).toBe(0);
});

test('a failure is told to the node, not to the client', async () => {
  outcome = new Error('broken');
  const answer = await askBoth({ chunks: [PUT] });
  expect(answer.status).toBe(500);
  expect(errors).toEqual([outcome, outcome]);
});

test('a body that breaks off ends its connection, and nothing else', async () => {
  for (const port of ports) {
    const broken = request({ port, path: '/write', method: 'POST', headers: { 'content-length': 50 } });
    const gone = new Promise((resolve) => broken.on('error', resolve));
    const taken = Promise.race(servers.map((server) => once(server, 'request')));
    broken.write('{');
    const [incoming] = await taken;
    const closed = new Promise((resolve) => incoming.on('close', resolve));
    broken.destroy();
    await Promise.all([gone, closed]);
    expect((await ask(port, { chunks: [PUT] })).status).toBe(200);
  }
  expect(authors).toHaveLength(2);
  expect(errors).toEqual([]);
});

test('a body that its client holds back is asked for unless it is too large', async () => {
  const hold = (port: number, length: number) =>
    new Promise<[invited: boolean, status: number | undefined, connection: string | undefined]>((resolve) => {
      let invited = false;
      const headers = { expect: '100-continue', 'content-length': length };
      const held = request({ port, path: '/write', method: 'POST', headers, agent: false }, (response) => {
        response.resume();
        resolve([invited, response.statusCode, response.headers.connection]);
      });
      held.on('error', () => expect(invited).toBe(false));
      held.on('continue', () => {
        invited = true;
        held.end(PUT);
      });
      held.flushHeaders();
    });
  for (const port of ports) {
    expect((await hold(port, PUT.length)).slice(0, 2)).toEqual([true, 200]);
    for (const length of [4097, 10_000_000]) {
      expect(await hold(port, length)).toEqual([false, 413, 'close']);
    }
  }
});
