import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { ConfdClient } from './confd-client.ts';
import { waitUntil } from './wait-until.ts';

// The clients that the original was made for. They pass no version on from one node to the next, so what is written while
// they change nodes reaches them when the next wait ends, with its time-out at the latest.

const cluster = useCluster();
const abort = new AbortController();
const keys = ['/self/host/counter', '/self/host/name'];
/** Tests run on this machine. */
const here = '127.0.0.1';
let confd: ConfdClient;
let counter = 0;

beforeAll(async () => {
  await cluster.form(3, '--wait_timeout', '2s');
  await cluster.client().batch({
    do: [
      { put: '/v1/data', value: { hosts: { here: { name: 'first', counter: 0 } }, other: 'x' } },
      { put: `/v1/mapping/${here}`, value: { host: '/hosts/here' } },
    ],
  });
  await cluster.converged();
  const ports = cluster.ids.map((id) => cluster.node(id).ports.metadata);
  confd = new ConfdClient({ ports, prefix: '/self', keys, signal: abort.signal });
});

afterAll(async () => {
  abort.abort();
  await confd?.ended;
});

async function count(id: number): Promise<void> {
  counter += 1;
  await cluster.client([id]).data.merge('/hosts/here/counter', counter);
}

async function rendersIt(): Promise<void> {
  const expected = { '/self/host/counter': String(counter), '/self/host/name': 'first' };
  await waitUntil(
    () => JSON.stringify(confd.rendered.at(-1)) === JSON.stringify(expected),
    `confd to render ${counter}; it has ${JSON.stringify(confd.rendered.at(-1))}`,
  );
}

/** The node on which it waits. */
async function asked(): Promise<number> {
  const port = await waitUntil(() => confd.waitingOn, 'confd to wait');
  return cluster.ids.find((id) => cluster.node(id).ports.metadata === port) ?? 0;
}

describe('confd', () => {
  test('renders at the start, and each change while it waits', async () => {
    await rendersIt();
    for (const id of cluster.ids) {
      await asked();
      await count(id);
      await rendersIt();
    }
  });

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'goes on at another node when the one it waits on ends by %s, and misses nothing',
    async (signal) => {
      const victim = await asked();
      await cluster.process(victim).end(signal);
      const witness = cluster.runningIds[0] ?? 0;
      // Written while it looks for another node, where it can say of no version that it has seen it.
      await count(witness);
      await rendersIt();
      expect(await asked()).not.toBe(victim);
      await count(witness);
      await rendersIt();
      await cluster.start(victim);
    },
  );

  test('follows through a change of the leader', async () => {
    const leader = await cluster.leader();
    await cluster.kill9(leader);
    for (let step = 0; step < 3; step += 1) {
      await count(cluster.runningIds[0] ?? 0);
      await rendersIt();
    }
    await cluster.start(leader);
  });

  test('has rendered nothing but what was written', () => {
    for (const values of confd.rendered) {
      expect(values['/self/host/name']).toBe('first');
      expect(values['/self/host/counter']).toMatch(/^\d+$/);
      expect(Number(values['/self/host/counter'])).toBeLessThanOrEqual(counter);
    }
  });
});
