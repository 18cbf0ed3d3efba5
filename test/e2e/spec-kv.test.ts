import { beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, send } from './http.ts';
import type { ClusterMetrics } from './metrics.ts';
import { waitUntil } from './wait-until.ts';

// Each example of the document of the KV and cluster API, in its order. Terms, indexes, times and ports are not fixed.

const cluster = useCluster();

beforeAll(async () => {
  await cluster.form(1);
  for (const id of [2, 3]) {
    await cluster.add(id, '--standby');
    cluster.launch(id);
    await cluster.listening(id);
  }
});

const logId = { leader_id: { term: expect.any(Number), node_id: 1 }, index: expect.any(Number) };
const integer = /^\d{19}$/;

describe('DATA api', () => {
  test('1, 3: /write Put answers "OK", /read with a bare key shows the value', async () => {
    const written = await cluster.post(1, '/write', { Put: { key: 'foo', value: 'bar' } });
    expect([written.status, written.text]).toEqual([200, '"OK"']);
    const read = await cluster.post(1, '/read', 'foo');
    expect([read.status, json(read)]).toEqual([200, { OK: 'bar' }]);
  });

  test('1: a second Put updates the value', async () => {
    await cluster.write(1, 'foo', 'baz');
    expect(await cluster.read(1, 'foo')).toBe('baz');
  });

  test('3: a key that does not exist reads as ""', async () => {
    expect(json(await cluster.post(1, '/read', 'missing'))).toEqual({ OK: '' });
  });

  test('4: /read-all lists every key and its value', async () => {
    await cluster.write(1, 'k2', 'v2');
    await cluster.write(1, 'k1', 'v1');
    const reply = await send({ port: cluster.node(1).ports.cluster, path: '/read-all' });
    const { OK } = json(reply) as { OK: readonly { k: string; v: string }[] };
    expect(OK).toHaveLength(3);
    expect(OK).toEqual(
      expect.arrayContaining([
        { k: 'foo', v: 'baz' },
        { k: 'k1', v: 'v1' },
        { k: 'k2', v: 'v2' },
      ]),
    );
  });

  test('2: /write Del answers "OK", and the key is gone', async () => {
    const deleted = await cluster.post(1, '/write', { Del: { key: 'k2' } });
    expect([deleted.status, deleted.text]).toEqual([200, '"OK"']);
    expect(await cluster.read(1, 'k2')).toBe('');
    expect([...(await cluster.readAll(1)).keys()].sort()).toEqual(['foo', 'k1']);
  });

  test('1, 3: a refused request answers "Err" or {"err": …}, with the reason', async () => {
    const write = await cluster.post(1, '/write', { Put: { key: '', value: 'x' } });
    expect([write.status, write.text]).toEqual([400, '"Err"']);
    expect(write.headers['x-metad-error']).toMatch(/key/i);
    const read = await cluster.post(1, '/read', '');
    expect(read.status).toBe(400);
    expect(json(read)).toEqual({ err: { code: expect.anything(), message: expect.stringMatching(/key/i) } });
  });

  test('a body is JSON whatever its Content-Type, as curl -d sends it', async () => {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const { port, body } = { port: cluster.node(1).ports.cluster, body: '"foo"' };
    expect(json(await send({ port, method: 'POST', path: '/read', headers, body }))).toEqual({ OK: 'baz' });
  });
});

describe('Cluster api', () => {
  test('5: /add-learner answers with the membership that holds the learner', async () => {
    const addr = { 1: cluster.node(1).addr, 2: cluster.node(2).addr, 3: cluster.node(3).addr };
    const nodes = { 1: { addr: addr[1] }, 2: { addr: addr[2] } };
    const second = await cluster.addLearner(1, 2);
    expect(second).toEqual({
      Ok: { log_id: logId, data: { value: null }, membership: { configs: [[1]], nodes } },
    });
    const third = await cluster.addLearner(1, 3);
    const all = { ...nodes, 3: { addr: addr[3] } };
    expect(third).toEqual({
      Ok: { log_id: logId, data: { value: null }, membership: { configs: [[1]], nodes: all } },
    });
  });

  test('7: /metrics shows every field of the document', async () => {
    const caughtUp = (metrics: ClusterMetrics): boolean =>
      [1, 2, 3].every((id) => metrics.replication?.[id]?.index === metrics.Ok.last_log_index);
    await waitUntil(async () => caughtUp(await cluster.metrics(1)), 'both learners to be replicated to');
    const reply = await send({ port: cluster.node(1).ports.cluster, path: '/metrics' });
    expect(reply.headers['content-type']).toMatch(/^application\/json/);
    const metrics = json(reply) as ClusterMetrics;
    const perNode = (value: unknown): unknown => ({ 1: value, 2: value, 3: value });
    expect(metrics).toMatchObject({
      Ok: {
        running_state: { Ok: null },
        id: 1,
        current_term: expect.any(Number),
        vote: { leader_id: { term: metrics.Ok.current_term, node_id: 1 }, committed: true },
        last_log_index: expect.any(Number),
        last_applied: logId,
        snapshot: null,
        purged: null,
        state: 'Leader',
        current_leader: 1,
        millis_since_quorum_ack: expect.any(Number),
        last_quorum_acked: expect.any(Number),
        membership_config: {
          log_id: logId,
          membership: {
            configs: [[1]],
            nodes: Object.fromEntries([1, 2, 3].map((id) => [id, { addr: cluster.node(id).addr }])),
          },
        },
        heartbeat: perNode(expect.any(Number)),
        replication: perNode(logId),
      },
      heartbeat: perNode(expect.any(Number)),
      replication: perNode(logId),
    });
  });

  test('7: times in nanoseconds are whole JSON integers beyond 2^53', async () => {
    const { text } = await send({ port: cluster.node(1).ports.cluster, path: '/metrics' });
    const acked = /"last_quorum_acked":\s*(\d+)/.exec(text)?.[1] ?? '';
    expect(acked).toMatch(integer);
    const heartbeats = [...text.matchAll(/"heartbeat":\s*\{([^}]*)\}/g)].map(([, body]) => body ?? '');
    expect(heartbeats).toHaveLength(2);
    for (const body of heartbeats) {
      const times = body.split(',').map((member) => member.split(':')[1]?.trim() ?? '');
      expect(times).toHaveLength(3);
      for (const time of times) expect(time).toMatch(integer);
    }
    // A number that went through a double has lost what is below 128 ns.
    const digits = [...text.matchAll(/\d{19}/g)].map(([time]) => BigInt(time));
    expect(digits.some((time) => BigInt(Number(time)) !== time)).toBe(true);
  });

  test('7: a learner shows its own state and the same membership', async () => {
    const { Ok } = await cluster.metrics(2);
    expect(Ok).toMatchObject({ id: 2, state: 'Learner', current_leader: 1, running_state: { Ok: null } });
    expect(Ok.membership_config.membership).toEqual(
      (await cluster.metrics(1)).Ok.membership_config.membership,
    );
  });

  test('6: /change-membership answers with the final membership', async () => {
    const answer = await cluster.changeMembership(1, [1, 2]);
    expect(answer).toMatchObject({
      Ok: {
        log_id: logId,
        data: { value: null },
        membership: {
          configs: [[1, 2]],
          nodes: { 1: { addr: cluster.node(1).addr }, 2: { addr: cluster.node(2).addr } },
        },
      },
    });
    expect((await cluster.metrics(1)).Ok.membership_config.membership.configs).toEqual([[1, 2]]);
  });
});
