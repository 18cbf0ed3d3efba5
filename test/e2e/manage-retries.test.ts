import { beforeAll, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, type Reply, send, versionOf } from './http.ts';
import { waitUntil } from './wait-until.ts';

const cluster = useCluster();
const REPLY_TIMEOUT_MS = 5_000;
const CLIENTS = 12;
const ROUNDS = 3;

beforeAll(() => cluster.form(3));

/** Puts a value under a key, at any node, as often as it takes to be told that it is done. */
async function putOnce(path: string, value: string, key: string): Promise<{ reply: Reply; tries: number }> {
  let tries = 0;
  const reply = await waitUntil(async () => {
    const ids = cluster.runningIds;
    const id = ids[tries % ids.length] ?? 1;
    tries += 1;
    const answer = await send({
      port: cluster.node(id).ports.manage,
      method: 'PUT',
      path: `/v1/data${path}`,
      headers: { 'Idempotency-Key': key, 'X-Metad-Author': key },
      body: JSON.stringify(value),
      timeoutMs: REPLY_TIMEOUT_MS,
    });
    return answer.status === 200 ? answer : null;
  }, `an answer to the write of ${path}`);
  return { reply, tries };
}

interface Entry {
  readonly version: number;
  readonly author: string;
  readonly changed: readonly { readonly before: string | null; readonly after: string | null }[];
}

/** Writes one value after the other to one place, each under its own key, until it is done. */
async function alternate(client: number, goesOn: () => boolean): Promise<{ writes: Write[]; tries: number }> {
  const writes: Write[] = [];
  let tries = 0;
  for (let number = 1; goesOn(); number += 1) {
    const value = `value-${number}`;
    const key = `client-${client}-${number}`;
    const put = await putOnce(`/retried/${client}`, value, key);
    tries += put.tries;
    writes.push({ key, value, version: versionOf(put.reply) });
  }
  return { writes, tries };
}

interface Write {
  readonly key: string;
  readonly value: string;
  readonly version: number;
}

test('a write that is sent again while leaders are killed is applied once', async () => {
  let goesOn = true;
  const clients = Array.from({ length: CLIENTS }, (_, client) => alternate(client, () => goesOn));
  for (let round = 1; round <= ROUNDS; round += 1) {
    const before = await cluster.version(cluster.runningIds[0] ?? 1);
    await waitUntil(
      async () => (await cluster.version(cluster.runningIds[0] ?? 1)) > before + CLIENTS * 5,
      'writes in flight',
    );
    const killed = await cluster.leader();
    await cluster.kill9(killed);
    const next = await cluster.leader(cluster.runningIds);
    expect(next).not.toBe(killed);
    await cluster.start(killed);
  }
  goesOn = false;
  const done = await Promise.all(clients);
  const writes = done.flatMap((client) => client.writes);
  const tries = done.reduce((sum, client) => sum + client.tries, 0);
  expect(tries, 'some had to be sent again').toBeGreaterThan(writes.length);

  for (const [client, { writes }] of done.entries()) {
    const told = [...(await wholeHistory(client))].reverse();
    expect(
      told.map((entry) => ({ author: entry.author, version: entry.version, after: entry.changed[0]?.after })),
    ).toEqual(
      writes.map(({ key, value, version }) => ({ author: `${key} (127.0.0.1)`, version, after: value })),
    );
  }

  // Long after, each is still known by its key, on every node, and changes nothing.
  const version = await cluster.version(1);
  for (const id of cluster.ids) {
    const [first] = done[id]?.writes ?? [];
    if (first === undefined) throw new Error('every client wrote');
    const { reply } = await putOnce(`/retried/${id}`, first.value, first.key);
    expect([versionOf(reply), reply.headers['idempotency-replayed']]).toEqual([first.version, 'true']);
  }
  expect(versionOf(await cluster.manage(1, 'GET', '/v1/data'))).toBe(version);
  console.info(
    `${writes.length} writes, each applied once, in ${tries} requests over ${ROUNDS} killed leaders`,
  );
});

async function wholeHistory(client: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  let before = '';
  for (;;) {
    const reply = await cluster.manage(2, 'GET', `/v1/history/retried/${client}?limit=1000${before}`);
    const page = json(reply) as { changes: readonly Entry[]; next: number | null };
    entries.push(...page.changes);
    if (page.next === null) return entries;
    before = `&before=${page.next}`;
  }
}
