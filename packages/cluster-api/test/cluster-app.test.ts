import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  decodeCommand,
  encodeCommand as encode,
  StateDatabase,
  Store,
  version,
  writeOf,
} from '@metad/kv-store';
import { EMPTY_MEMBERSHIP, type Entry, logIndex, nodeId, term } from '@metad/raft-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BackupOutcome } from '../src/backup/backups.ts';
import { createClusterApp } from '../src/cluster-http/cluster-app.ts';
import { loadConfig } from '../src/config/load-config.ts';
import type { Call, CallOutcome } from '../src/consensus/call.ts';
import type { BarrierOutcome } from '../src/consensus/read-barriers.ts';
import { WriteTrace } from '../src/consensus/write-trace.ts';

let dir: string;
let store: Store;
let state: StateDatabase;
let calls: Call[];
let refuseWith: CallOutcome | null;
let barrier: BarrierOutcome;
let caughtUp: boolean;
let quarantine: string | null;
let errors: unknown[];
let backup: BackupOutcome;

/** Stands for the cluster: applies each command to a real state machine at once. */
function execute(call: Call): Promise<CallOutcome> {
  calls.push(call);
  if (refuseWith) return Promise.resolve(refuseWith);
  const logId = { term: term(1), leader: nodeId(1), index: logIndex(store.state.applied.index + 1) };
  const data = call.type === 'propose' ? call.command : null;
  const entry: Entry = { ...logId, payload: data ? { type: 'command', data } : { type: 'blank' } };
  const [result] = store.state.apply([entry]).results;
  if (result === undefined) throw new Error('an entry has a result');
  return Promise.resolve({ type: 'done', logId, result, membership: EMPTY_MEMBERSHIP });
}

function app(clusterToken: string | null = null) {
  const outcome = loadConfig([], {});
  if (outcome.type !== 'config') throw new Error(outcome.output);
  return createClusterApp({
    node: {
      readBarrier: () => Promise.resolve(barrier),
      state: { role: 'leader', term: 1, leader: nodeId(1), caughtUp, isRemoved: false, quarantine },
    },
    router: { execute },
    trace: new WriteTrace(),
    state,
    backups: { open: () => Promise.resolve(backup) },
    limits: { ...outcome.config.limits, maxBodyBytes: 4096, maxValueBytes: 64, maxPathDepth: 4 },
    clusterToken,
    metrics: () => ({ Ok: { id: 1 } }),
    takeSnapshot: () => store.takeSnapshot(),
    addressOf: () => '127.0.0.1:21002',
    onError: (error) => errors.push(error),
  });
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return Promise.resolve(app().request(path, { method: 'POST', body: text, headers }));
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'metad-cluster-app-'));
  store = Store.open(dir);
  state = StateDatabase.open(store.stateFile);
  calls = [];
  refuseWith = null;
  barrier = { type: 'ready' };
  quarantine = null;
  caughtUp = true;
  errors = [];
  backup = { type: 'busy' };
});

afterEach(() => {
  state.close();
  store.close();
  rmSync(dir, { recursive: true });
});

describe('/write and /read', () => {
  test('a key that was put is read, one that was deleted is empty', async () => {
    const put = await post('/write', { Put: { key: 'foo', value: 'bar' } });
    expect([put.status, await put.text(), put.headers.get('X-Metad-Version')]).toEqual([200, '"OK"', '1']);
    const read = await post('/read', '"foo"');
    expect([await read.json(), read.headers.get('X-Metad-Version')]).toEqual([{ OK: 'bar' }, '1']);
    await post('/write', { Del: { key: '/foo' } });
    expect(await (await post('/read', '"foo"')).json()).toEqual({ OK: '' });
  });

  test('a write that is repeated under its Idempotency-Key is answered like the first, and done once', async () => {
    const put = (value: string, key: string) =>
      post('/write', { Put: { key: 'foo', value } }, { 'Idempotency-Key': key });
    const seen = async (response: Response) => [
      response.status,
      await response.text(),
      response.headers.get('X-Metad-Version'),
      response.headers.get('Idempotency-Replayed'),
    ];
    expect(await seen(await put('1', 'k'))).toEqual([200, '"OK"', '1', null]);
    expect(await seen(await put('2', 'other'))).toEqual([200, '"OK"', '2', null]);
    expect(await seen(await put('1', 'k'))).toEqual([200, '"OK"', '1', 'true']);
    expect(await (await post('/read', '"foo"')).json()).toEqual({ OK: '2' });

    const reused = await put('3', 'k');
    expect(await seen(reused)).toEqual([422, '"Err"', '2', null]);
    expect(reused.headers.get('X-Metad-Error')).toContain('Idempotency-Key');
    for (const key of ['', 'two words', 'k'.repeat(256)]) expect((await put('4', key)).status).toBe(400);
    expect(store.state.version).toBe(2);
  });

  test('deleting a key leaves what is below it alone', async () => {
    await post('/write', { Put: { key: 'a', value: '1' } });
    await post('/write', { Put: { key: 'a/b', value: '2' } });
    await post('/write', { Del: { key: 'a' } });
    expect(await (await post('/read', '"a"')).json()).toEqual({ OK: '' });
    expect(await (await post('/read', '"a/b"')).json()).toEqual({ OK: '2' });
  });

  test.each([
    ['{"Put":', 'invalid json'],
    ['{"Put":{"key":"a"}}', 'expected {"Put"'],
    ['{"Put":{"key":"a","value":1}}', 'expected {"Put"'],
    ['{"Put":{"key":"a","value":"x"},"Del":{"key":"a"}}', 'expected {"Put"'],
    ['{"Set":{"key":"a","value":"x"}}', 'expected {"Put"'],
    ['{"Put":{"key":"","value":"x"}}', 'key is empty'],
    ['{"Del":{"key":"a/../b"}}', 'dot segment'],
    ['{"Put":{"key":"a/b/c/d/e","value":"x"}}', 'deeper than 4'],
    ['', 'invalid json'],
  ])('the write %j is refused with its reason', async (body, reason) => {
    const response = await post('/write', body);
    expect([response.status, await response.text()]).toEqual([400, '"Err"']);
    expect(response.headers.get('X-Metad-Error')).toContain(reason);
    expect(calls).toEqual([]);
  });

  test('a value over the limit is refused', async () => {
    const response = await post('/write', { Put: { key: 'a', value: 'x'.repeat(65) } });
    expect([response.status, response.headers.get('X-Metad-Error')]).toEqual([
      413,
      expect.stringContaining('64'),
    ]);
  });

  test('a body over the limit is refused before it is read', async () => {
    const response = await post('/write', { Put: { key: 'a', value: 'x'.repeat(5000) } });
    expect([response.status, await response.text()]).toEqual([413, '"Err"']);
    expect(response.headers.get('X-Metad-Error')).toContain('4096');
  });

  test.each([
    [{ type: 'refused', error: { type: 'forwardToLeader', leader: null } }, 503, 'no leader'],
    [{ type: 'refused', error: { type: 'overloaded' } }, 503, 'too many writes'],
    [{ type: 'refused', error: { type: 'tooLarge', maxBytes: 9 } }, 413, 'too large'],
    [{ type: 'refused', error: { type: 'stateFull', maxBytes: 9 } }, 507, 'delete something'],
    [{ type: 'unknown', message: 'no quorum confirmed it in time' }, 504, 'may still take effect'],
  ] as const)('the outcome %j is told as it is', async (outcome, status, reason) => {
    refuseWith = outcome;
    const response = await post('/write', { Put: { key: 'a', value: 'x' } });
    expect([response.status, await response.text()]).toEqual([status, '"Err"']);
    expect(response.headers.get('X-Metad-Error')).toContain(reason);
    expect(response.headers.get('Retry-After')).toBe(status === 503 ? '1' : null);
  });

  test('the command that is proposed is the write', async () => {
    await post('/write', { Put: { key: 'a/b', value: 'x' } });
    const [call] = calls;
    expect(call?.type === 'propose' && decodeCommand(call.command)).toEqual(
      writeOf([{ type: 'merge', tree: 'data', leaves: [['/a/b', 'x']] }]),
    );
  });

  test.each(['{}', '1', 'null', '', '"a//b"'])('the read %j is refused', async (body) => {
    const response = await post('/read', body);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ err: { code: 400, message: expect.any(String) } });
  });

  test('a linearizable read without a quorum is 503, a local one is answered', async () => {
    await post('/write', { Put: { key: 'a', value: 'x' } });
    barrier = { type: 'unavailable', message: 'no leader' };
    expect((await post('/read', '"a"')).status).toBe(503);
    expect(await (await post('/read?consistency=local', '"a"')).json()).toEqual({ OK: 'x' });
    expect((await post('/read?consistency=eventual', '"a"')).status).toBe(400);
    caughtUp = false;
    expect((await post('/read?consistency=local', '"a"')).status).toBe(503);
  });
});

describe('/read-all', () => {
  test('is an empty list at first', async () => {
    const response = await app().request('/read-all');
    expect(await response.json()).toEqual({ OK: [] });
    expect(response.headers.get('X-Metad-Version')).toBe('0');
  });

  test('to HEAD holds nothing open', async () => {
    const leaves = Array.from({ length: 5000 }, (_, i) => [`/k${i}`, 'x'] as const);
    store.state.apply([commandEntry({ type: 'merge', tree: 'data', leaves })]);
    const one = app();
    for (let i = 0; i < 20; i += 1) {
      const head = await one.request('/read-all', { method: 'HEAD' });
      expect([head.status, head.headers.get('X-Metad-Version')]).toEqual([200, '1']);
    }
    expect((await one.request('/read-all')).status).toBe(200);
  });

  test('is refused to the ninth who reads at once, until one of the others has ended', async () => {
    const leaves = Array.from({ length: 5000 }, (_, i) => [`/k${i}`, 'x'] as const);
    store.state.apply([commandEntry({ type: 'merge', tree: 'data', leaves })]);
    const one = app();
    const open = await Promise.all(Array.from({ length: 8 }, () => one.request('/read-all')));
    const refused = await one.request('/read-all');
    expect([refused.status, refused.headers.get('Retry-After')]).toEqual([503, '1']);
    await open[0]?.text();
    expect((await one.request('/read-all')).status).toBe(200);
  });

  test.each([1, 3, 4, 5, 131, 132, 133, 260, 1500])(
    'shows all of %d keys in order, hidden values too',
    async (count) => {
      const names = Array.from({ length: count }, (_, i) => `k${String(i).padStart(5, '0')}`);
      const leaves = names.map((name) => [`/${name}`, name] as const);
      store.state.apply([commandEntry({ type: 'merge', tree: 'data', leaves })]);
      const body = (await (await app().request('/read-all')).json()) as { OK: { k: string; v: string }[] };
      expect(body.OK).toEqual(names.map((name) => ({ k: name, v: name })));
    },
  );

  test('comes in small pieces where values are large', async () => {
    const value = 'v'.repeat(200_000);
    const leaves = Array.from({ length: 30 }, (_, i) => [`/k${String(i).padStart(2, '0')}`, value] as const);
    store.state.apply([commandEntry({ type: 'merge', tree: 'data', leaves })]);
    const response = await app().request('/read-all');
    const pieces: Uint8Array[] = [];
    for await (const piece of response.body ?? []) pieces.push(piece);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(5 * value.length);
    expect(JSON.parse(Buffer.concat(pieces).toString()).OK).toHaveLength(30);
  });

  test('is of one version although a write comes between its pages', async () => {
    const leaves = Array.from({ length: 2000 }, (_, i) => [`/k${i}`, 'old'] as const);
    store.state.apply([commandEntry({ type: 'merge', tree: 'data', leaves })]);
    const response = await app().request('/read-all');
    const reader = response.body?.getReader();
    const first = await reader?.read();
    store.state.apply([commandEntry({ type: 'replace', tree: 'data', path: '/', leaves: [['/new', 'x']] })]);
    let text = new TextDecoder().decode(first?.value);
    for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) {
      text += new TextDecoder().decode(chunk.value);
    }
    const all = JSON.parse(text) as { OK: { v: string }[] };
    expect(all.OK).toHaveLength(2000);
    expect(all.OK.every(({ v }) => v === 'old')).toBe(true);
    expect(response.headers.get('X-Metad-Version')).toBe(String(version(1)));
  });
});

function commandEntry(command: Parameters<typeof encode>[0]): Entry {
  const at = { term: term(1), leader: nodeId(1), index: logIndex(store.state.applied.index + 1) };
  return { ...at, payload: { type: 'command', data: encode(command) } };
}

describe('/snapshot', () => {
  test('takes one', async () => {
    store.state.apply([commandEntry({ type: 'merge', tree: 'data', leaves: [['/a', 'x']] })]);
    expect((await post('/snapshot', '')).status).toBe(200);
  });

  test('of a node in quarantine is refused with the reason', async () => {
    quarantine = 'in quarantine';
    const response = await post('/snapshot', '');
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('this node is in quarantine');
  });
});

describe('cluster calls', () => {
  test.each([
    ['/add-learner', [2, '127.0.0.1:21002'], { type: 'addLearner', node: 2, addr: '127.0.0.1:21002' }],
    ['/add-learner', { node_id: 2, addr: '[::1]:2' }, { type: 'addLearner', node: 2, addr: '[::1]:2' }],
    ['/remove-learner', 2, { type: 'removeLearner', node: 2 }],
    ['/change-membership', [1, 2], { type: 'changeMembership', voters: [1, 2] }],
    ['/transfer-leader', 2, { type: 'transferLeader', to: 2 }],
    ['/transfer-leader', null, { type: 'transferLeader', to: null }],
    ['/transfer-leader', '', { type: 'transferLeader', to: null }],
  ])('%s %j becomes a call', async (path, body, call) => {
    const response = await post(path, body);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      Ok: { data: { value: null }, membership: { configs: [] } },
    });
    expect(calls).toEqual([call]);
  });

  test.each([
    ['/add-learner', [0, '127.0.0.1:1']],
    ['/add-learner', [2]],
    ['/add-learner', [2, 'nowhere']],
    ['/add-learner', [2, '127.0.0.1:99999']],
    ['/add-learner', [2, '127.0.0.1:0']],
    ['/add-learner', [2, ':21002']],
    ['/add-learner', [2, '0.0.0.0:21002']],
    ['/add-learner', [2, '[::]:21002']],
    ['/change-membership', { voters: [1] }],
    ['/change-membership', [1.5]],
    ['/remove-learner', 'x'],
    ['/transfer-leader', 'null x'],
  ])('%s %j is refused', async (path, body) => {
    const response = await post(path, body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      Err: { APIError: { BadRequest: { message: expect.any(String) } } },
    });
    expect(calls).toEqual([]);
  });
});

describe('what is not served', () => {
  test('an unknown path and an unknown method are told apart', async () => {
    expect((await app().request('/nothing')).status).toBe(404);
    const wrongMethod = await app().request('/write');
    expect([wrongMethod.status, wrongMethod.headers.get('Allow')]).toEqual([405, 'POST']);
  });

  test('a page in a browser may not send what its user did not ask for', async () => {
    const headers = { Origin: 'http://evil.example', Host: '127.0.0.1:21001' };
    const body = JSON.stringify({ Put: { key: 'a', value: 'x' } });
    expect((await app().request('/write', { method: 'POST', headers, body })).status).toBe(403);
    expect(calls).toEqual([]);
  });

  test('what went wrong inside is reported, and not shown', async () => {
    state.close();
    const response = await post('/read', '"a"');
    expect([response.status, await response.json()]).toEqual([
      500,
      { err: { code: 500, message: 'internal error' } },
    ]);
    expect(errors).toHaveLength(1);
    state = StateDatabase.open(store.stateFile);
  });

  test('with a token only the health check is open', async () => {
    const closed = app('secret');
    expect((await closed.request('/health')).status).toBe(200);
    expect((await closed.request('/metrics')).status).toBe(401);
    expect((await closed.request('/metrics', { headers: { Authorization: 'Bearer wrong' } })).status).toBe(
      401,
    );
    expect((await closed.request('/metrics', { headers: { Authorization: 'Bearer secret' } })).status).toBe(
      200,
    );
  });
});

describe('/backup', () => {
  test('needs the token, as the rest of the port does', async () => {
    expect((await app('secret').request('/backup')).status).toBe(401);
  });

  test.each([
    [{ type: 'busy' }, 503, 'try again later'],
    [{ type: 'empty' }, 503, 'nothing to back up'],
    [{ type: 'calledOff', message: 'gone' }, 503, 'gone'],
    [{ type: 'noRoom', message: 'full' }, 507, 'full'],
    [{ type: 'failed', message: 'broken' }, 500, 'broken'],
  ] as const)('%j is told as it is', async (outcome, status, reason) => {
    backup = outcome;
    const response = await app().request('/backup');
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({
      err: { code: status, message: expect.stringContaining(reason) },
    });
    expect(errors).toEqual([]);
  });

  test('holds all that was acknowledged, or with consistency=local what the node has', async () => {
    barrier = { type: 'unavailable', message: 'no quorum' };
    caughtUp = false;
    const ask = async (query: string) => (await app().request(`/backup${query}`)).text();
    expect(await ask('')).toContain('no quorum');
    expect(await ask('?consistency=local')).toMatch(/another backup/);
    expect(await ask('?consistency=none')).toMatch(/unknown consistency/);
  });
});
