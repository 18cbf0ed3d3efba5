import { type MetadataState, MetadClient, type MetadManageClient } from '@metad/metad-api/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { waitUntil } from './wait-until.ts';

// The client library, as a program uses it, against nodes that are killed, stopped and held up.

const cluster = useCluster();
/** Tests run on this machine. */
const here = '127.0.0.1';
/** A held node is left after the two together. */
const WAIT_SECONDS = 3;
const attemptTimeoutMs = 6000;
const abort = new AbortController();
const readers: MetadClient[] = [];

function reader(): MetadClient {
  const endpoints = cluster.ids.map((id) => `http://127.0.0.1:${cluster.node(id).ports.metadata}`);
  const client = new MetadClient({ endpoints, attemptTimeoutMs });
  readers.push(client);
  return client;
}

function writer(author: string): MetadManageClient {
  return cluster.client(cluster.ids, { startAt: 'random', attemptTimeoutMs, author });
}

beforeAll(() => cluster.form(3));

afterAll(() => {
  abort.abort();
  for (const client of readers) client.close();
});

/** Everything that a watch gives, and that it gives it in order. */
class Watching {
  readonly states: MetadataState[] = [];
  readonly failures: string[] = [];
  readonly ended: Promise<void>;

  constructor(client: MetadClient, path: string) {
    this.ended = this.#run(client, path);
  }

  get value(): unknown {
    const state = this.states.at(-1);
    return state?.found ? state.value : null;
  }

  async until(value: unknown): Promise<void> {
    const wanted = JSON.stringify(value);
    await waitUntil(
      () => JSON.stringify(this.value) === wanted,
      `${wanted}; it has ${JSON.stringify(this.states.at(-1))}, after ${this.failures.join('; ')}`,
    );
  }

  async #run(client: MetadClient, path: string): Promise<void> {
    const onFailure = ({ endpoint, reason }: { endpoint: string; reason: string }) =>
      this.failures.push(`${endpoint} ${reason}`);
    const options = { signal: abort.signal, waitSeconds: WAIT_SECONDS, onFailure };
    for await (const state of client.watch(path, options)) {
      const last = this.states.at(-1);
      if (last !== undefined) expect(state.version).toBeGreaterThan(last.version);
      if (last !== undefined) expect({ ...state, version: 0 }).not.toEqual({ ...last, version: 0 });
      this.states.push(state);
    }
  }
}

describe('a watch', () => {
  test('follows /self through nodes that are killed, stopped and held up', async () => {
    const manage = writer('operator');
    await manage.mapping.replace(`/${here}`, { host: '/hosts/here' });
    const watchers = [1, 2, 3, 4].map(() => new Watching(reader(), '/self/host/counter'));
    let counter = 0;
    const count = async () => {
      counter += 1;
      await manage.data.merge('/hosts/here/counter', counter);
      await Promise.all(watchers.map((watching) => watching.until(String(counter))));
    };
    await count();
    for (const victim of cluster.ids) {
      await cluster.kill9(victim);
      await count();
      await cluster.start(victim);
    }
    const stopped = await cluster.leader();
    await cluster.stop(stopped);
    await count();
    await cluster.start(stopped);
    const hung = await cluster.leader();
    cluster.pause(hung);
    try {
      await count();
    } finally {
      cluster.resume(hung);
    }
    await count();
    for (const watching of watchers) {
      const values = watching.states.flatMap((state) => (state.found ? [Number(state.value)] : []));
      expect(values).toEqual(values.toSorted((a, b) => a - b));
    }
  });
});

describe('writes', () => {
  test('are applied once each, though the nodes that take them are killed', async () => {
    const rounds = 40;
    await writer('operator').data.replace('/race/counter', 0);
    const swaps = await raceWhileNodesDie(async (manage, name) => {
      let done = 0;
      while (done < rounds) {
        const state = await manage.data.get('/race/counter');
        if (!state.found) throw new Error('the counter is gone');
        const value = Number(state.value) + 1;
        const swap = await manage.data.compareAndSet('/race/counter', { expected: state.version, value });
        if (swap.swapped) done += 1;
      }
      return { name, done };
    });
    const counted = swaps.reduce((sum, { done }) => sum + done, 0);
    expect(counted).toBe(3 * rounds);
    expect(await writer('judge').data.get('/race/counter')).toMatchObject({ value: String(counted) });
    const page = await writer('judge').history('/race/counter', { limit: 1000 });
    expect(page.changes).toHaveLength(counted + 1);
  });

  test('are seen at once by whoever takes their version along', async () => {
    const manage = writer('operator');
    await manage.rules.set({ [here]: [{ path: '/', mode: 1 }] });
    for (let number = 0; number < 20; number += 1) {
      const { version } = await manage.data.merge('/seen', String(number));
      const state = await reader().get('/seen', { minVersion: version });
      expect(state).toMatchObject({ found: true, value: String(number) });
    }
  });
});

/** Runs three writers while one node after the other is killed and comes back. */
async function raceWhileNodesDie<T>(
  run: (manage: MetadManageClient, name: string) => Promise<T>,
): Promise<T[]> {
  let running = 3;
  const results = ['a', 'b', 'c'].map((name) =>
    run(writer(name), name).finally(() => {
      running -= 1;
    }),
  );
  const settled = Promise.all(results);
  // Seen by the caller; until then it must not end the process.
  settled.catch(() => undefined);
  for (let turn = 0; running > 0; turn += 1) {
    const victim = turn % 2 === 0 ? await cluster.leader() : (cluster.ids[turn % 3] ?? 1);
    await cluster.kill9(victim);
    await cluster.start(victim);
  }
  return settled;
}
