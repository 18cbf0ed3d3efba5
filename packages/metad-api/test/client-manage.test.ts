import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type ManageConnectionOptions, type MetadErrorKind, MetadManageClient } from '../src/client/index.ts';
import { deadUrl, failure, IN_ORDER, type Received, refuse, StubNode, show } from './client-stub.ts';

function clientOf(
  endpoints: readonly string[],
  options: Partial<ManageConnectionOptions> = {},
): MetadManageClient {
  const client = new MetadManageClient({
    endpoints,
    ...IN_ORDER,
    ...options,
  });
  onTestFinished(() => client.close());
  return client;
}

const OK = { code: 200, type: 'OK' };
/** The pause after the first failure is longer than any call: so there is one attempt at each node. */
const ONE_ROUND = { firstBackoffMs: 1_000_000, maxBackoffMs: 1_000_000 };

function lastOf(node: StubNode): Received {
  const received = node.received.at(-1);
  if (received === undefined) throw new Error('nothing was received');
  return received;
}

describe('a write', () => {
  test('goes out as the manage API takes it, and comes back with its version', async () => {
    const node = await StubNode.start((_, response) => show(response, 12, OK));
    const client = clientOf([node.url], { token: 'secret', author: 'deploy' });
    expect(await client.data.merge('/a b', { c: [1, true] })).toEqual({ version: 12, replayed: false });
    expect(lastOf(node)).toMatchObject({
      method: 'PUT',
      target: '/v1/data/a%20b',
      body: '{"c":[1,true]}',
      headers: { authorization: 'Bearer secret', 'x-metad-author': 'deploy' },
    });
    await client.mapping.replace('/10.0.0.1', { node: '/nodes/1' }, { author: 'somebody' });
    expect(lastOf(node)).toMatchObject({ method: 'POST', target: '/v1/mapping/10.0.0.1' });
    expect(lastOf(node).headers['x-metad-author']).toBe('somebody');
    await client.data.delete('/a', { subs: ['b', 'c'] });
    expect(lastOf(node)).toMatchObject({ method: 'DELETE', target: '/v1/data/a?subs=b%2Cc', body: '' });
    await client.rules.set({ '10.0.0.1': [{ path: '/', mode: 1 }] });
    expect(lastOf(node)).toMatchObject({ method: 'PUT', target: '/v1/rule' });
    await client.rules.delete(['10.0.0.1', '::1']);
    expect(lastOf(node)).toMatchObject({ method: 'DELETE', target: '/v1/rule?hosts=10.0.0.1%2C%3A%3A1' });
    expect(client.version).toBe(12);
  });

  test('never deletes more than is named', async () => {
    const { data } = clientOf([await deadUrl()]);
    await expect(data.delete('/a', { subs: ['b,c'] })).rejects.toMatchObject({ kind: 'invalid' });
    await expect(data.delete('/a/../b')).rejects.toMatchObject({ kind: 'invalid' });
    await expect(data.replace('/a/..', 'x')).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('says what must be there for it to be done', async () => {
    const node = await StubNode.start((_, response) => show(response, 1, OK));
    const { data } = clientOf([node.url]);
    await data.merge('/a', 1, { onlyIf: { version: 7 } });
    expect(lastOf(node).headers['if-match']).toBe('"7"');
    await data.delete('/a', { onlyIf: 'present' });
    expect(lastOf(node).headers['if-match']).toBe('*');
    await data.replace('/a', 1, { onlyIf: 'absent' });
    expect(lastOf(node).headers['if-none-match']).toBe('*');
    expect(lastOf(node).headers['if-match']).toBeUndefined();
  });

  test('is tried again under the same key, and another one under another', async () => {
    let attempts = 0;
    const node = await StubNode.start((_, response) => {
      attempts += 1;
      if (attempts === 1) refuse(response, 503, { 'retry-after': '0' });
      else if (attempts === 2) refuse(response, 504);
      else if (attempts === 3) response.destroy();
      else {
        response.setHeader('idempotency-replayed', 'true');
        show(response, 5, OK);
      }
    });
    const client = clientOf([await deadUrl(), node.url]);
    expect(await client.data.merge('/a', 'x')).toEqual({ version: 5, replayed: true });
    const keys = node.received.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[\da-f-]{36}$/);
    await client.data.merge('/a', 'x');
    expect(lastOf(node).headers['idempotency-key']).not.toBe(keys[0]);
    await client.data.merge('/a', 'x', { idempotencyKey: 'mine' });
    expect(lastOf(node).headers['idempotency-key']).toBe('mine');
  });

  test.each<[number, MetadErrorKind]>([
    [400, 'invalid'],
    [401, 'forbidden'],
    [403, 'forbidden'],
    [404, 'notFound'],
    [405, 'invalid'],
    [410, 'gone'],
    [412, 'preconditionFailed'],
    [413, 'invalid'],
    [422, 'keyReused'],
    [507, 'stateFull'],
  ])('that is answered %i ends as %s at once', async (status, kind) => {
    const node = await StubNode.start((_, response) => refuse(response, status, { 'x-metad-version': '9' }));
    const error = await failure(clientOf([node.url, await deadUrl()]).data.merge('/a', 1));
    expect(error).toMatchObject({ kind, status, version: 9, mayHaveApplied: false });
    expect(node.received).toHaveLength(1);
  });

  test.each<[string, (node: StubNode) => void, MetadErrorKind]>([
    ['503', (node) => node.handle((_, response) => refuse(response, 503)), 'unavailable'],
    ['429', (node) => node.handle((_, response) => refuse(response, 429)), 'unavailable'],
    ['500', (node) => node.handle((_, response) => refuse(response, 500)), 'unknownOutcome'],
    ['502', (node) => node.handle((_, response) => refuse(response, 502)), 'unknownOutcome'],
    ['504', (node) => node.handle((_, response) => refuse(response, 504)), 'unknownOutcome'],
    ['a cut', (node) => node.handle((_, response) => response.destroy()), 'unknownOutcome'],
    [
      '200 without a version',
      (node) => node.handle((_, response) => refuse(response, 200)),
      'unknownOutcome',
    ],
  ])('that %s answers everywhere ends as what is known of it', async (_, behave, kind) => {
    const node = await StubNode.start(() => undefined);
    behave(node);
    const error = await failure(clientOf([node.url, node.url], ONE_ROUND).data.merge('/a', 1));
    expect(error).toMatchObject({ kind, mayHaveApplied: kind === 'unknownOutcome' });
    expect(node.received).toHaveLength(2);
  });

  test('of which nothing has reached a node is definitely not done', async () => {
    const error = await failure(clientOf([await deadUrl()], ONE_ROUND).data.merge('/a', 1));
    expect(error).toMatchObject({ kind: 'unavailable', mayHaveApplied: false });
  });

  test('whose outcome was unknown once does not forget it when it is refused later', async () => {
    const hanging = await StubNode.start(() => undefined);
    const refusing = await StubNode.start((_, response) => refuse(response, 412, { 'x-metad-version': '4' }));
    const client = clientOf([hanging.url, refusing.url], { attemptTimeoutMs: 50 });
    const error = await failure(client.data.merge('/a', 1, { onlyIf: 'absent' }));
    expect(error).toMatchObject({ kind: 'preconditionFailed', mayHaveApplied: true, version: 4 });
    refusing.handle((_, response) => refuse(response, 503));
    const later = await failure(
      clientOf([hanging.url, refusing.url], { attemptTimeoutMs: 50, ...ONE_ROUND }).data.merge('/a', 1),
    );
    expect(later).toMatchObject({ kind: 'unknownOutcome', mayHaveApplied: true });
  });

  test('ends at once with its signal', async () => {
    const node = await StubNode.start(() => undefined);
    const abort = new AbortController();
    const writing = clientOf([node.url]).data.merge('/a', 1, { signal: abort.signal });
    await vi.waitFor(() => expect(node.received).toHaveLength(1));
    abort.abort();
    await expect(writing).rejects.toBe(abort.signal.reason);
  });
});

describe('compareAndSet', () => {
  test('says whether it has swapped, and throws what is no answer to that', async () => {
    const node = await StubNode.start((_, response) => show(response, 8, OK));
    const { data } = clientOf([node.url]);
    const swap = { expected: 7, value: 'new' };
    expect(await data.compareAndSet('/a', swap)).toEqual({ swapped: true, version: 8 });
    expect(lastOf(node)).toMatchObject({ method: 'POST', body: '"new"', headers: { 'if-match': '"7"' } });
    node.handle((_, response) => refuse(response, 412, { 'x-metad-version': '9' }));
    expect(await data.compareAndSet('/a', { ...swap, expected: 'absent' })).toEqual({
      swapped: false,
      version: 9,
    });
    expect(lastOf(node).headers['if-none-match']).toBe('*');
    node.handle((_, response) => refuse(response, 507));
    expect(await failure(data.compareAndSet('/a', swap))).toMatchObject({ kind: 'stateFull' });
  });

  test('does not say that it has not swapped when an attempt of it may have', async () => {
    let attempts = 0;
    const node = await StubNode.start((_, response) => {
      attempts += 1;
      refuse(response, attempts === 1 ? 504 : 412);
    });
    const { data } = clientOf([node.url]);
    const error = await failure(data.compareAndSet('/a', { expected: 'absent', value: 'new' }));
    expect(error).toMatchObject({ kind: 'preconditionFailed', mayHaveApplied: true });
  });

  test('says that it has not swapped when no attempt can, whenever it is taken up', async () => {
    let attempts = 0;
    const node = await StubNode.start((_, response) => {
      attempts += 1;
      refuse(response, attempts % 2 === 1 ? 504 : 412, { 'x-metad-version': '9' });
    });
    const client = clientOf([node.url]);
    const swap = client.data.compareAndSet('/a', { expected: 7, value: 'new' });
    expect(await swap).toEqual({ swapped: false, version: 9 });
    const put = { put: '/v1/data/a', value: 'x' };
    const versioned = client.batch({ if: [{ path: '/a', version: 7 }], do: [put] });
    expect(await failure(versioned)).toMatchObject({ kind: 'preconditionFailed', mayHaveApplied: false });
    const mixed = client.batch({
      if: [
        { path: '/a', version: 7 },
        { path: '/b', absent: true },
      ],
      do: [put],
    });
    expect(await failure(mixed)).toMatchObject({ kind: 'preconditionFailed', mayHaveApplied: true });
  });
});

describe('a read', () => {
  test('gives what is there', async () => {
    const node = await StubNode.start(({ target }, response) => {
      if (target.startsWith('/v1/rule')) show(response, 3, { '10.0.0.1': [{ path: '/', mode: 1 }] });
      else if (target.startsWith('/v1/data/none')) show(response, 3);
      else show(response, 3, { b: 'x' });
    });
    const client = clientOf([node.url]);
    expect(await client.data.get('/a')).toEqual({ found: true, value: { b: 'x' }, version: 3 });
    expect(await client.data.get('/none')).toEqual({ found: false, version: 3 });
    await client.data.get('/a', { atVersion: 2, consistency: 'local' });
    expect(lastOf(node).target).toBe('/v1/data/a?consistency=local&version=2');
    expect(lastOf(node).headers['x-metad-version']).toBe('3');
    expect(await client.mapping.get()).toEqual({ found: true, value: { b: 'x' }, version: 3 });
    expect(lastOf(node).target).toBe('/v1/mapping');
    const rules = { '10.0.0.1': [{ path: '/', mode: 1 }] };
    expect(await client.rules.get()).toEqual({ rules, version: 3 });
    expect(lastOf(node).target).toBe('/v1/rule');
    await client.rules.get({ hosts: ['10.0.0.1', '10.0.0.2'] });
    expect(lastOf(node).target).toBe('/v1/rule?hosts=10.0.0.1%2C10.0.0.2');
  });

  test('takes nothing that is older than what it has written', async () => {
    const node = await StubNode.start(({ method }, response) =>
      show(response, method === 'PUT' ? 5 : 4, 'x'),
    );
    const client = clientOf([node.url], ONE_ROUND);
    await client.data.merge('/a', 1);
    const error = await failure(client.data.get('/a'));
    expect(error).toMatchObject({ kind: 'unavailable', mayHaveApplied: false });
    expect(error.message).toContain('is behind');
  });

  test('of a resource that the node does not know is an error', async () => {
    const node = await StubNode.start((_, response) => refuse(response, 404));
    expect(await failure(clientOf([node.url]).data.get('/a'))).toMatchObject({ kind: 'notFound' });
  });
});

test('a batch goes out as it is', async () => {
  const node = await StubNode.start((_, response) => show(response, 4, OK));
  const batch = {
    if: [
      { path: '/a', version: 3 },
      { path: '/b', absent: true as const },
    ],
    do: [{ put: '/v1/data/a', value: 'x' }, { delete: '/v1/mapping/10.0.0.1' }],
  };
  expect(await clientOf([node.url]).batch(batch)).toEqual({ version: 4, replayed: false });
  expect(lastOf(node)).toMatchObject({ method: 'POST', target: '/v1/batch' });
  expect(JSON.parse(lastOf(node).body)).toEqual(batch);
});
