import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, type Reply } from './http.ts';
import { waitUntil } from './wait-until.ts';

// Three nodes whose state may take 1 MiB: what happens when it is full, through whichever node.

const LIMIT_BYTES = 1024 * 1024;
const VALUE = 'x'.repeat(32 * 1024);
const cluster = useCluster();

beforeAll(() => cluster.form(3, '--max_state_size', '1MiB'));

function put(id: number, path: string, value = VALUE): Promise<Reply> {
  return cluster.manage(id, 'PUT', `/v1/data${path}`, value);
}

async function stateBytes(id: number): Promise<number> {
  const { text } = await cluster.manage(id, 'GET', '/metrics');
  return Number(/^metad_state_bytes (\d+)$/m.exec(text)?.[1]);
}

test('writes are taken until the state has reached its limit', async () => {
  const statuses: number[] = [];
  while (statuses.at(-1) !== 507 && statuses.length < 100) {
    statuses.push((await put(1 + (statuses.length % 3), `/bulk/${statuses.length}`)).status);
  }
  expect(statuses.at(-1)).toBe(507);
  expect(new Set(statuses.slice(0, -1))).toEqual(new Set([200]));
  expect(statuses.length).toBeGreaterThan(20);
});

test.for([1, 2, 3])('beyond it node %i says why, and reads go on', async (id) => {
  const version = await cluster.version(id);
  const answer = await put(id, '/one/more', 'small');
  expect(answer.status).toBe(507);
  expect(answer.text).toMatch(/state is full.*1048576 bytes.*delete something/);
  const write = await cluster.post(id, '/write', { Put: { key: 'one/more', value: 'small' } });
  expect([write.status, write.text]).toEqual([507, '"Err"']);
  expect(write.headers['x-metad-error']).toMatch(/state is full/);
  const rule = await cluster.manage(id, 'PUT', '/v1/rule', { '10.0.0.1': [{ path: '/', mode: 1 }] });
  expect(rule.status).toBe(507);
  expect(await cluster.read(id, 'bulk/0')).toBe(VALUE);
  expect(await cluster.version(id)).toBe(version);
  expect(await stateBytes(id)).toBeGreaterThanOrEqual(LIMIT_BYTES);
});

test('a node can be added, and the lead can move, meanwhile', async () => {
  await cluster.add(4, '--standby');
  cluster.launch(4, '--max_state_size', '1MiB');
  await cluster.listening(4);
  expect(await cluster.addLearner(1, 4)).toHaveProperty('Ok');
  await cluster.ready(4);
  expect((await cluster.post(1, '/transfer-leader', null)).status).toBe(200);
  await waitUntil(
    async () => (await put(1, '/one/more', 'small')).status === 507,
    'the next leader’s refusal',
  );
});

test('deletions make room, and then writes are taken again', async () => {
  expect((await cluster.manage(2, 'DELETE', '/v1/rule?hosts=10.0.0.1')).status).toBe(200);
  expect((await cluster.post(3, '/write', { Del: { key: 'bulk/1' } })).text).toBe('"OK"');
  expect((await cluster.manage(1, 'DELETE', '/v1/data/bulk')).status).toBe(200);
  expect((await put(2, '/one/more', 'small')).status).toBe(200);
  await cluster.converged();
  for (const id of cluster.runningIds) expect(await stateBytes(id)).toBeLessThan(LIMIT_BYTES);
  expect(json(await cluster.manage(3, 'GET', '/v1/data'))).toEqual({ one: { more: 'small' } });
});
