import { beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { json, type Reply, versionOf } from './http.ts';
import { waitUntil } from './wait-until.ts';

const cluster = useCluster();
const client = '192.0.2.7';

beforeAll(async () => {
  await cluster.form(3, '--catch_up_wait', '2s');
  await cluster.manage(1, 'PUT', '/v1/data', { hosts: { a: { name: 'host-a' } }, other: 'untouched' });
  await cluster.manage(2, 'PUT', '/v1/mapping', { [client]: { host: '/hosts/a' } });
  await cluster.manage(3, 'PUT', '/v1/rule', { [client]: [{ path: '/', mode: 1 }] });
  await cluster.converged();
});

/** A request to every node in turn, this one first: `[1, 2, 3]`, `[2, 3, 1]`, `[3, 1, 2]`. */
const turns = [
  { writer: 1, reader: 2, waiter: 3 },
  { writer: 2, reader: 3, waiter: 1 },
  { writer: 3, reader: 1, waiter: 2 },
];

async function putName(id: number, name: string): Promise<number> {
  const reply = await cluster.manage(id, 'PUT', '/v1/data/hosts/a/name', name);
  expect(reply.status, reply.text).toBe(200);
  return versionOf(reply);
}

/** Whether a request is still unanswered after the node has answered others that came later. */
async function isHeld(id: number, waiting: Promise<Reply>): Promise<boolean> {
  let held = true;
  waiting.then(
    () => {
      held = false;
    },
    () => {
      held = false;
    },
  );
  for (let probe = 0; probe < 5; probe += 1) await cluster.metadata(id, '/other', client);
  return held;
}

describe.each(turns)('a write to node $writer', ({ writer, reader, waiter }) => {
  test(`answers a client that waits on node ${waiter}`, async () => {
    await cluster.converged();
    const seen = await cluster.version(waiter);
    const waiting = cluster.metadata(waiter, `/self/host?wait=true&prev_version=${seen}`, client);
    expect(await isHeld(waiter, waiting)).toBe(true);
    const version = await putName(writer, `waited for on ${waiter}`);
    const answer = await waiting;
    expect(json(answer)).toEqual({ name: `waited for on ${waiter}` });
    expect(versionOf(answer)).toBe(version);
  });

  test(`gives a version that node ${reader} takes as prev_version`, async () => {
    const version = await putName(writer, `version for ${reader}`);
    const waiting = cluster.metadata(reader, `/hosts?wait=true&prev_version=${version}`, client);
    expect(await isHeld(reader, waiting)).toBe(true);
    await cluster.manage(waiter, 'PUT', '/v1/data/other', `elsewhere for ${reader}`);
    expect(await isHeld(reader, waiting), 'a change elsewhere does not end it').toBe(true);
    const changed = await putName(waiter, `changed for ${reader}`);
    const answer = await waiting;
    expect([json(answer), versionOf(answer)]).toEqual([{ a: { name: `changed for ${reader}` } }, changed]);
  });

  test('shows at once on the same node, and on the others to who passes the version on', async () => {
    for (let number = 0; number < 30; number += 1) {
      const name = `name-${writer}-${number}`;
      const version = await putName(writer, name);
      const own = await cluster.metadata(writer, '/self/host/name', client);
      expect(json(own)).toBe(name);
      expect(versionOf(own)).toBe(version);
      for (const id of [reader, waiter]) {
        const passedOn = await cluster.metadata(id, '/self/host/name', client, {
          'X-Metad-Version': `${version}`,
        });
        expect([json(passedOn), versionOf(passedOn)]).toEqual([name, version]);
      }
    }
  });

  test('shows at once on the others to a linearizable read', async () => {
    for (let number = 0; number < 20; number += 1) {
      const name = `linearizable-${writer}-${number}`;
      await putName(writer, name);
      expect(json(await cluster.metadata(reader, '/hosts/a/name?consistency=linearizable', client))).toBe(
        name,
      );
      expect(json(await cluster.manage(waiter, 'GET', '/v1/data/hosts/a/name'))).toBe(name);
      expect(await cluster.read(reader, 'hosts/a/name')).toBe(name);
    }
  });

  test('of the KV API is the same thing as one of the manage API', async () => {
    await cluster.write(writer, 'hosts/a/name', `kv-${writer}`);
    expect(json(await cluster.manage(reader, 'GET', '/v1/data/hosts/a/name'))).toBe(`kv-${writer}`);
    expect(await cluster.read(waiter, '/hosts/a/name')).toBe(`kv-${writer}`);
  });
});

test('a node that hung shows nothing old to a linearizable read, though it was asked before it knew better', async () => {
  const leader = await cluster.leader();
  const writer = cluster.ids.find((id) => id !== leader) ?? 0;
  for (const hung of cluster.ids.filter((id) => id !== writer)) {
    const name = `written while ${hung} hung`;
    cluster.pause(hung);
    await waitUntil(() => putName(writer, name), 'a write without the node that hangs').catch(
      (error: unknown) => {
        cluster.resume(hung);
        throw error;
      },
    );
    // Already waiting when the node goes on: it answers them before it has looked around.
    const reads = [
      cluster.read(hung, 'hosts/a/name'),
      cluster.metadata(hung, '/self/host/name?consistency=linearizable', client).then(json),
      cluster.manage(hung, 'GET', '/v1/data/hosts/a/name').then(json),
    ];
    cluster.resume(hung);
    expect(await Promise.all(reads)).toEqual([name, name, name]);
  }
});

test('a version that was never handed out is not waited for without end', async () => {
  const future = String((await cluster.version(1)) + 1_000_000);
  const answer = await cluster.metadata(1, '/other', client, { 'X-Metad-Version': future });
  expect([200, 503]).toContain(answer.status);
  expect(versionOf(answer)).toBeLessThan(Number(future));
});
