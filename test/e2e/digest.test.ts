import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { metadctlFailure } from './metadctl.ts';
import { Database } from './sqlite.ts';
import { waitUntil } from './wait-until.ts';

// A node whose state was made by other entries than those of the others takes itself out, and can be rebuilt.

const cluster = useCluster();

beforeAll(async () => {
  await cluster.form(3);
  for (let number = 0; number < 20; number += 1) await cluster.write(1, `key/${number}`, `${number}`);
});

/** As if the node had applied something else than the others, at some time before. */
function forgeDigest(id: number): void {
  const db = new Database(join(cluster.node(id).dataDir, 'state.db'));
  db.prepare('UPDATE state SET digest = ?').run(Buffer.alloc(32, 0xee));
  db.close();
}

async function metric(id: number, name: string): Promise<number> {
  const { text } = await cluster.manage(id, 'GET', '/metrics');
  const values = [...text.matchAll(new RegExp(`^${name}(?:{.*})? (\\d+)$`, 'gm'))];
  return values.reduce((sum, [, value]) => sum + Number(value), 0);
}

async function expectQuarantined(id: number): Promise<void> {
  const reason = new RegExp(
    `this node is quarantined, because this node's entries up to \\d+ are not those of node \\d and node \\d: ` +
      `its digest is [0-9a-f]{64}, theirs [0-9a-f]{64}. Stop it and rebuild it: remove node ${id} with POST`,
  );
  await waitUntil(() => reason.test(cluster.process(id).log), `node ${id} to find that it differs`);
  await waitUntil(
    async () => (await cluster.manage(id, 'GET', '/ready')).status === 503,
    `node ${id} not ready`,
  );
  expect((await cluster.manage(id, 'GET', '/ready')).text).toMatch(reason);
  expect((await cluster.metadata(id, '/key/1', '203.0.113.1')).status).toBe(503);
  for (const query of ['', '?consistency=local'])
    expect((await cluster.post(id, `/read${query}`, 'key/1')).status, query).toBe(503);
  expect((await cluster.post(id, '/write', { Put: { key: 'never', value: 'taken' } })).status).toBe(503);
  expect(await metric(id, 'metad_quarantined')).toBe(1);
  expect(await metric(id, 'metad_digest_mismatch_total')).toBeGreaterThan(0);
  expect(cluster.process(id).exit, 'it stays up to say so').toBeNull();
}

/** What its message advises, through node `by`. */
async function rebuild(id: number, by: number): Promise<void> {
  const rest = cluster.ids.filter((other) => other !== id);
  expect(await cluster.changeMembership(by, rest)).toHaveProperty('Ok');
  rmSync(cluster.node(id).dataDir, { recursive: true });
  cluster.launch(id, '--standby');
  await cluster.listening(id);
  expect(await cluster.addLearner(by, id)).toHaveProperty('Ok');
  expect(await cluster.changeMembership(by, cluster.ids)).toHaveProperty('Ok');
  await cluster.ready(id);
}

test('nodes that agree leave each other alone', async () => {
  for (const id of [1, 2, 3]) {
    expect(await metric(id, 'metad_digest_mismatch_total')).toBe(0);
    expect(await metric(id, 'metad_quarantined')).toBe(0);
  }
});

test('a follower that differs takes itself out, for good, until it is rebuilt', async () => {
  const leader = await cluster.leader();
  const odd = cluster.ids.find((id) => id !== leader) ?? 0;
  await cluster.stop(odd);
  forgeDigest(odd);
  cluster.launch(odd);
  await expectQuarantined(odd);
  await cluster.write(leader, 'goes/on', 'without it');
  const other = cluster.ids.find((id) => id !== leader && id !== odd) ?? 0;
  expect(cluster.process(other).log).toMatch(new RegExp(`node ${odd} has applied other entries`));

  const { code } = await cluster.stop(odd);
  expect(code).toBe(0);
  const again = cluster.launch(odd);
  expect((await again.exited).code).toBeGreaterThan(0);
  const refusal = /the data directory .* is quarantined, because .*rebuild it: remove node/;
  expect(again.log).toMatch(refusal);
  expect(await metadctlFailure('verify', cluster.node(odd).dataDir)).toMatch(refusal);

  await rebuild(odd, leader);
  expect(await cluster.read(odd, 'goes/on')).toBe('without it');
  expect(await metric(odd, 'metad_digest_mismatch_total')).toBe(0);
});

test('a node that differs is found though it leads, and the others go on without it', async () => {
  const [odd = 0, ...rest] = cluster.ids;
  await cluster.stop(odd);
  forgeDigest(odd);
  // It may well win before anybody compares: all that matters is that the others do not follow its word.
  await Promise.all(rest.map((id) => cluster.stop(id)));
  for (const id of cluster.ids) cluster.launch(id);
  await expectQuarantined(odd);
  const leader = await cluster.leader(rest);
  await cluster.write(leader, 'goes/on', 'without the leader');
  for (const id of rest) {
    expect(await cluster.read(id, 'goes/on')).toBe('without the leader');
    expect(await metric(id, 'metad_quarantined')).toBe(0);
  }
  await cluster.stop(odd);
  await rebuild(odd, leader);
  expect(await cluster.read(odd, 'goes/on')).toBe('without the leader');
});
