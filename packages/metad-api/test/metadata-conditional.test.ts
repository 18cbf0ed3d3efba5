import { describe, expect, test } from 'vitest';
import { JSON_TYPE, settle, TestNode, versionOf } from './test-node.ts';

const CLIENT = '10.1.0.1';

async function openNode(...args: ConstructorParameters<typeof TestNode>): Promise<TestNode> {
  const node = new TestNode(...args);
  await node.write('PUT', '/v1/data', { a: '1', b: { c: '2' } });
  await node.allow(CLIENT, '/');
  return node;
}

const holding = (tag: string, accept = 'application/json') => ({
  headers: { accept, 'if-none-match': tag },
});

describe('an answer', () => {
  test.each([
    ['text/plain', '"2.text"'],
    ['application/json', '"2.json"'],
    ['application/yaml', '"2.yaml"'],
  ])('as %s has the tag %s', async (accept, tag) => {
    const node = await openNode();
    for (const method of ['GET', 'HEAD']) {
      const { headers } = await node.metadata('/b', { method, headers: { accept } });
      expect([headers.get('etag'), headers.get('vary'), headers.get('cache-control')]).toEqual([
        tag,
        'Accept',
        'private, no-cache',
      ]);
    }
    const missing = await node.metadata('/none', { headers: { accept } });
    expect([missing.headers.get('etag'), missing.headers.get('cache-control')]).toEqual([
      null,
      'private, no-cache',
    ]);
  });
});

describe('If-None-Match', () => {
  test('is answered 304 until what the client would see has changed', async () => {
    const node = await openNode();
    const at = async (tag: string) => {
      const response = await node.metadata('/b', holding(tag));
      return [response.status, response.headers.get('etag'), versionOf(response), await response.text()];
    };
    expect(await at('"2.json"')).toEqual([304, '"2.json"', 2, '']);
    await node.write('PUT', '/v1/data/a', 'other');
    await node.allow('10.1.0.2', '/');
    expect(await at('W/"1.json", "2.json"')).toEqual([304, '"4.json"', 4, '']);
    expect(await at('"2"')).toEqual([304, '"4.json"', 4, '']);
    await node.write('PUT', '/v1/data/b/c', 'new');
    expect(await at('"4.json"')).toEqual([200, '"5.json"', 5, '{"c":"new"}']);
    expect(await at('"5.json"')).toEqual([304, '"5.json"', 5, '']);
    expect(await at('*')).toEqual([304, '"5.json"', 5, '']);
  });

  test.each(['"2.text"', '"abc"', 'garbage', '', '"1.json"', '"0.json"'])(
    '%s does not match',
    async (tag) => {
      const node = await openNode();
      expect((await node.metadata('/b', holding(tag))).status).toBe(200);
    },
  );

  test('sends no body and nothing that describes one', async () => {
    const node = await openNode();
    const { headers } = await node.metadata('/b', holding('"2.json"'));
    expect([headers.get('content-type'), headers.get('content-length'), headers.get('vary')]).toEqual([
      null,
      null,
      'Accept',
    ]);
  });

  test('what is missing stays 404, whatever the client holds', async () => {
    const node = await openNode();
    for (const tag of ['"2.json"', '*']) {
      expect((await node.metadata('/none', holding(tag))).status).toBe(404);
      expect((await node.metadata('/b', { ...holding(tag), client: '10.9.9.9' })).status).toBe(404);
    }
    await node.write('DELETE', '/v1/data/b');
    expect((await node.metadata('/b', holding('"2.json"'))).status).toBe(404);
  });

  test('what is hidden does not count, what is granted or taken away does', async () => {
    const node = await openNode();
    await node.allow(CLIENT, '/b');
    await node.write('PUT', '/v1/data/a', 'hidden');
    expect((await node.metadata('/', holding('"3.json"'))).status).toBe(304);
    await node.allow(CLIENT, '/a');
    expect((await node.metadata('/', holding('"4.json"'))).status).toBe(200);
  });

  test('from before what is remembered: the client gets what there is', async () => {
    const node = await openNode({ maxWindowChanges: 1 });
    await node.write('PUT', '/v1/data/a', 'x');
    expect((await node.metadata('/b', holding('"2.json"'))).status).toBe(304);
    await node.write('PUT', '/v1/data/a', 'y');
    expect((await node.metadata('/b', holding('"2.json"'))).status).toBe(200);
  });

  test('of a state that is ahead of the feed: as soon as it is known what changed', async () => {
    const node = await openNode();
    node.replica.holdBack();
    node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/b/c', 'new']] }]);
    const changed = await node.hold('/b', holding('"2.json"'));
    const other = await node.hold('/a', holding('"2.json"'));
    expect((await node.metadata('/b', holding('"3.json"'))).status).toBe(304);
    node.replica.deliverHeldBack();
    expect(await changed.json()).toEqual({ c: 'new' });
    expect((await other.response).status).toBe(304);
    expect([node.apps.waiters(), node.clock.timerCount]).toEqual([0, 0]);
  });

  test('of a state that stays ahead of the feed: not what it can not know', async () => {
    const node = await openNode();
    node.replica.holdBack();
    node.replica.applyAll([{ type: 'merge', tree: 'data', leaves: [['/b/c', 'new']] }]);
    const changed = await node.hold('/b', holding('"2.json"'));
    node.clock.advance(1000);
    expect(await changed.json()).toEqual({ c: 'new' });
  });

  test('from the future: the node gets a moment to catch up', async () => {
    const node = await openNode();
    const ahead = await node.hold('/b', holding('"3.json"'));
    await node.write('PUT', '/v1/data/b/c', 'new');
    expect((await ahead.response).status).toBe(304);
    const lost = await node.hold('/b', holding('"99.json"'));
    node.clock.advance(6000);
    expect((await lost.response).status).toBe(200);
  });

  test('with wait=true holds the request, and answers 304 when it ends for nothing', async () => {
    const node = await openNode();
    const held = await node.hold('/b?wait=true&timeout=5', holding('"2.json"'));
    await node.write('PUT', '/v1/data/a', 'x');
    node.clock.advance(6000);
    expect((await held.response).status).toBe(304);
    const woken = await node.hold('/b?wait=true', holding('"2.json"'));
    await node.write('PUT', '/v1/data/b/c', 'new');
    expect(await woken.json()).toEqual({ c: 'new' });
  });
});

describe('a linearizable wait', () => {
  test('passes another read barrier at its time-out, and is 503 where there is none', async () => {
    const node = await openNode();
    const query = '/a?wait=true&timeout=10&consistency=linearizable';
    const first = await node.hold(query);
    expect(node.replica.barriers).toBe(1);
    node.clock.advance(11_000);
    expect([(await first.response).status, node.replica.barriers]).toEqual([200, 2]);
    const second = await node.hold(query);
    const local = await node.hold('/a?wait=true&timeout=10&consistency=local');
    node.replica.barrier = { type: 'unavailable', message: 'no quorum' };
    node.clock.advance(11_000);
    const { status, headers } = await second.response;
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect((await local.response).status).toBe(200);
  });

  test('asks no more when a change wakes it', async () => {
    const node = await openNode();
    const held = await node.hold('/a?wait=true&consistency=linearizable');
    const { barriers } = node.replica;
    await node.write('PUT', '/v1/data/a', 'new');
    expect([await held.json(), node.replica.barriers]).toEqual(['new', barriers]);
  });
});

describe('max_lag', () => {
  test('asks the cluster only when this node has not been proven new for that long', async () => {
    const node = await openNode();
    const read = async (query: string) => (await node.metadata(`/a?${query}`)).status;
    expect([await read('max_lag=5'), node.replica.barriers]).toEqual([200, 1]);
    node.clock.advance(5000);
    expect([await read('max_lag=5'), await read('max_lag=60'), node.replica.barriers]).toEqual([200, 200, 1]);
    node.clock.advance(1);
    expect([await read('max_lag=5'), node.replica.barriers]).toEqual([200, 2]);
    expect([await read('consistency=linearizable'), node.replica.barriers]).toEqual([200, 3]);
    expect([await read('max_lag=0'), node.replica.barriers]).toEqual([200, 3]);
    node.clock.advance(1);
    expect([await read('max_lag=0'), node.replica.barriers]).toEqual([200, 4]);
  });

  test('is not kept by a node that is cut off, until it is not any more', async () => {
    const node = await openNode();
    const read = async (query: string) => {
      const response = await node.metadata(`/a?${query}`);
      return [response.status, response.headers.get('retry-after')];
    };
    expect(await read('max_lag=5')).toEqual([200, null]);
    node.replica.barrier = { type: 'unavailable', message: 'no quorum' };
    node.clock.advance(5001);
    expect(await read('max_lag=5')).toEqual([503, '1']);
    expect(await read('max_lag=6')).toEqual([200, null]);
    expect(await read('')).toEqual([200, null]);
    node.replica.hasLeader = false;
    const { barriers } = node.replica;
    expect(await read('max_lag=5')).toEqual([503, '1']);
    expect(node.replica.barriers).toBe(barriers);
    node.replica.hasLeader = true;
    node.replica.barrier = { type: 'ready' };
    expect(await read('max_lag=5')).toEqual([200, null]);
  });

  test('a proof counts from when it was begun; those who come meanwhile share it if it is new enough', async () => {
    const node = await openNode();
    const passed: (() => void)[] = [];
    node.replica.readBarrier = () => new Promise((resolve) => passed.push(() => resolve({ type: 'ready' })));
    const ask = async (): Promise<Promise<Response>[]> => {
      const asked = [node.metadata('/a?max_lag=5')];
      await settle();
      return asked;
    };
    const first = await ask();
    node.clock.advance(4000);
    const second = await ask();
    expect(passed).toHaveLength(1);
    node.clock.advance(2000);
    const third = await ask();
    expect(passed, 'begun too long ago for the third').toHaveLength(2);
    passed[0]?.();
    expect([(await first[0])?.status, (await second[0])?.status]).toEqual([200, 200]);
    const fourth = await ask();
    passed[1]?.();
    expect([(await third[0])?.status, (await fourth[0])?.status]).toEqual([200, 200]);
    node.clock.advance(5000);
    expect((await (await ask())[0])?.status).toBe(200);
    expect(passed).toHaveLength(2);
  });

  test('is kept by a wait at its end too, whatever ended it', async () => {
    const node = await openNode();
    const timedOut = await node.hold('/a?wait=true&timeout=10&max_lag=5');
    const woken = await node.hold('/a?wait=true&timeout=600&max_lag=5');
    const patient = await node.hold('/a?wait=true&timeout=10&max_lag=60');
    const plain = await node.hold('/a?wait=true&timeout=10');
    node.replica.hasLeader = false;
    node.clock.advance(11_000);
    const answers = await Promise.all([timedOut, patient, plain].map(({ response }) => response));
    expect(answers.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual([
      [503, '1'],
      [200, null],
      [200, null],
    ]);
    await node.write('PUT', '/v1/data/a', 'new');
    expect((await woken.response).status).toBe(503);
    expect(node.apps.waiters()).toBe(0);
  });

  test('is proven anew at the end of a wait, by one barrier for all', async () => {
    const node = await openNode();
    const query = '/a?wait=true&timeout=600&max_lag=5';
    const held = [await node.hold(query), await node.hold(query), await node.hold(query)];
    expect(node.replica.barriers).toBe(1);
    node.clock.advance(6000);
    node.replica.applyAll([{ type: 'replace', tree: 'data', path: '/a', leaves: [['/a', 'new']] }]);
    expect(await Promise.all(held.map((one) => one.json()))).toEqual(['new', 'new', 'new']);
    expect(node.replica.barriers).toBe(2);
  });

  test('holds on the manage API as well, for a local read', async () => {
    const node = await openNode();
    node.replica.hasLeader = false;
    const response = await node.manage('GET', '/v1/data?consistency=local&max_lag=1');
    expect(response.status).toBe(503);
    expect((await node.manage('GET', '/v1/data?consistency=local')).status).toBe(200);
  });

  test.each(['soon', '-1', '1e3', '1s'])('is a number of seconds, not %s', async (value) => {
    const node = await openNode();
    expect((await node.metadata(`/a?max_lag=${value}`, { headers: JSON_TYPE })).status).toBe(400);
  });
});
