import type http from 'node:http';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { MetadataState, MetadClient, WatchOptions } from '../src/client/index.ts';
import { clientOf, deadUrl, type Received, refuse, StubNode, show } from './client-stub.ts';

/** Everything that a watch gives, as it comes. */
class Watching {
  readonly states: MetadataState[] = [];
  readonly ended: Promise<void>;
  readonly #abort = new AbortController();

  constructor(client: MetadClient, path: string, options: WatchOptions = {}) {
    this.ended = this.#run(client, path, options);
    onTestFinished(() => this.end());
  }

  get values(): unknown[] {
    return this.states.map((state) => (state.found ? state.value : null));
  }

  end(): Promise<void> {
    this.#abort.abort();
    return this.ended;
  }

  async until(value: unknown): Promise<void> {
    await vi.waitFor(() => expect(this.values.at(-1)).toEqual(value), { timeout: 30_000, interval: 2 });
  }

  async #run(client: MetadClient, path: string, options: WatchOptions): Promise<void> {
    for await (const state of client.watch(path, { ...options, signal: this.#abort.signal })) {
      this.states.push(state);
    }
  }
}

function queryOf({ target }: Received): URLSearchParams {
  return new URL(target, 'http://node').searchParams;
}

/** One value, at one version, and the requests that are held for it. */
class HoldingNode {
  version = 1;
  value: string | undefined = 'first';
  readonly #held: http.ServerResponse[] = [];

  get held(): number {
    return this.#held.length;
  }

  readonly handle = (received: Received, response: http.ServerResponse): void => {
    const query = queryOf(received);
    const isCurrent = Number(query.get('prev_version')) >= this.version;
    if (query.get('wait') === 'true' && isCurrent) {
      this.#held.push(response);
      response.on('close', () =>
        this.#held.splice(this.#held.indexOf(response), this.#held.includes(response) ? 1 : 0),
      );
    } else show(response, this.version, this.value);
  };

  /** Ends those that are held with what there is now, as a time-out does. */
  release(): void {
    for (const response of this.#held.splice(0)) show(response, this.version, this.value);
  }

  /** The same, for clients that have named what they know. */
  releaseUnchanged(version: number): void {
    this.version = version;
    for (const response of this.#held.splice(0)) {
      response.writeHead(304, { 'x-metad-version': String(version) }).end();
    }
  }

  set(version: number, value: string | undefined): void {
    this.version = version;
    this.value = value;
    this.release();
  }
}

async function holding(): Promise<{ state: HoldingNode; node: StubNode }> {
  const state = new HoldingNode();
  return { state, node: await StubNode.start(state.handle) };
}

describe('watch', () => {
  test('gives the present state, then each new one, also that nothing is there', async () => {
    const { state, node } = await holding();
    const watching = new Watching(clientOf([node.url]), '/a', { waitSeconds: 7 });
    for (const [version, value] of [
      [2, 'second'],
      [5, undefined],
      [6, 'back'],
    ] as const) {
      await vi.waitFor(() => expect(state.held).toBe(1));
      state.set(version, value);
    }
    await watching.until('back');
    expect(watching.states).toEqual([
      { found: true, value: 'first', version: 1 },
      { found: true, value: 'second', version: 2 },
      { found: false, version: 5 },
      { found: true, value: 'back', version: 6 },
    ]);
    expect(node.received[0]?.target).toBe('/a');
    expect(node.received[1]?.target).toBe('/a?wait=true&prev_version=1&timeout=7');
    expect(node.received[1]?.headers['x-metad-version']).toBe('1');
  });

  test('gives nothing when a wait has timed out, or was ended by what does not show', async () => {
    const { state, node } = await holding();
    const watching = new Watching(clientOf([node.url]), '/a');
    await vi.waitFor(() => expect(state.held).toBe(1));
    state.release();
    await vi.waitFor(() => expect(state.held).toBe(1));
    state.set(4, 'first');
    await vi.waitFor(() => expect(state.held).toBe(1));
    expect(queryOf(node.received.at(-1) ?? never()).get('prev_version')).toBe('4');
    state.set(5, 'second');
    await watching.until('second');
    expect(watching.values).toEqual(['first', 'second']);
  });

  test('begins after a version that was seen before', async () => {
    const { state, node } = await holding();
    const watching = new Watching(clientOf([node.url]), '/a', { since: 1 });
    await vi.waitFor(() => expect(state.held).toBe(1));
    state.release();
    await vi.waitFor(() => expect(state.held).toBe(1));
    state.set(2, 'first');
    await vi.waitFor(() => expect(state.held).toBe(1));
    expect(watching.states).toEqual([]);
    state.set(3, 'second');
    await watching.until('second');
    expect(watching.states).toEqual([{ found: true, value: 'second', version: 3 }]);
  });

  test('names the state that it knows, and takes 304 for a time-out', async () => {
    const { state, node } = await holding();
    for (const since of [undefined, 1]) {
      const watching = new Watching(clientOf([node.url]), '/a', { since });
      await vi.waitFor(() => expect(state.held).toBe(1));
      expect(node.received.at(-1)?.headers['if-none-match']).toBe('"1.json"');
      state.releaseUnchanged(8);
      await vi.waitFor(() => expect(state.held).toBe(1));
      expect(node.received.at(-1)?.headers['if-none-match']).toBe('"8.json"');
      expect(queryOf(node.received.at(-1) ?? never()).get('prev_version')).toBe('8');
      state.set(9, 'second');
      await watching.until('second');
      expect(watching.values).toEqual(since === undefined ? ['first', 'second'] : ['second']);
      await watching.end();
      state.set(1, 'first');
    }
  });

  test('does not ask a node in a tight loop that does not hold', async () => {
    const node = await StubNode.start((_, response) => show(response, 1, 'same'));
    const watching = new Watching(
      clientOf([node.url], { firstBackoffMs: 60_000, maxBackoffMs: 60_000 }),
      '/a',
    );
    await vi.waitFor(() => expect(node.received).toHaveLength(2));
    await new Promise((resolve) => setImmediate(resolve));
    expect(node.received).toHaveLength(2);
    await watching.end();
  });

  test('goes on at the next node, and comes back when that fails', async () => {
    const [first, second] = [await holding(), await holding()];
    const failures: string[] = [];
    const watching = new Watching(clientOf([await deadUrl(), first.node.url, second.node.url]), '/a', {
      onFailure: ({ endpoint, reason }) => failures.push(`${endpoint.slice(0, 16)} ${reason.slice(0, 15)}`),
    });
    await vi.waitFor(() => expect(first.state.held).toBe(1));
    await first.node.stop();
    await vi.waitFor(() => expect(second.state.held).toBe(1));
    second.state.set(3, 'third');
    await watching.until('third');
    expect(watching.values).toEqual(['first', 'third']);
    expect(failures).toHaveLength(2);
    expect(failures[0]).toBe('http://127.0.0.1 connect ECONNRE');
  });

  test('leaves a node that holds beyond the time, and one that is behind', async () => {
    const [hanging, behind, good] = [await holding(), await holding(), await holding()];
    const client = clientOf([hanging.node.url, behind.node.url, good.node.url], { attemptTimeoutMs: 100 });
    behind.state.version = 0;
    const watching = new Watching(client, '/a', { waitSeconds: 0.1 });
    await vi.waitFor(() => expect(good.state.held).toBe(1));
    good.state.set(2, 'second');
    await watching.until('second');
    expect(watching.values).toEqual(['first', 'second']);
  });

  test('ends at once with its signal, and leaves no connection', async () => {
    const { state, node } = await holding();
    const watching = new Watching(clientOf([node.url]), '/a');
    await vi.waitFor(() => expect(state.held).toBe(1));
    await watching.end();
    await vi.waitFor(async () => expect(await node.connections()).toBe(0));
  });

  test('ends in the middle of a pause', async () => {
    const client = clientOf([await deadUrl()], { firstBackoffMs: 100_000, maxBackoffMs: 100_000 });
    let failures = 0;
    const onFailure = () => {
      failures += 1;
    };
    const watching = new Watching(client, '/a', { onFailure });
    await vi.waitFor(() => expect(failures).toBe(1));
    await watching.end();
  });

  test('ends when the client is closed', async () => {
    const { state, node } = await holding();
    const client = clientOf([node.url]);
    const watching = new Watching(client, '/a');
    await vi.waitFor(() => expect(state.held).toBe(1));
    client.close();
    await watching.ended;
  });

  test('says that a request makes no sense', async () => {
    const node = await StubNode.start((_, response) => refuse(response, 400, { 'x-metad-version': '1' }));
    const watch = clientOf([node.url]).watch('/a');
    await expect(watch.next()).rejects.toMatchObject({ kind: 'invalid', status: 400 });
  });
});

/** What a node does with the next request. */
const MISBEHAVIOURS = [
  'none',
  'cut',
  'cutBody',
  'late',
  '503',
  '504',
  '502',
  'older',
  'timeOut',
  'junk',
  '304',
] as const;
type Misbehaviour = (typeof MISBEHAVIOURS)[number];

/** A cluster whose nodes do all that nodes may do to a client, and worse; its history is known to the test. */
class UnreliableCluster {
  readonly #history: { version: number; value: string | undefined }[] = [{ version: 1, value: 'v0' }];
  readonly #held = new Set<() => void>();
  #script: Misbehaviour[] = [];

  get now(): { version: number; value: string | undefined } {
    return this.#history.at(-1) ?? never();
  }

  plan(script: readonly Misbehaviour[]): void {
    this.#script = [...script];
  }

  change(step: number, value: string | undefined): void {
    this.#history.push({ version: this.now.version + step, value });
    this.wake();
  }

  wake(): void {
    for (const answer of [...this.#held]) answer();
  }

  readonly handle = (received: Received, response: http.ServerResponse): void => {
    const query = queryOf(received);
    const seen = Number(query.get('prev_version') ?? -1);
    const how = this.#script.shift() ?? 'none';
    if (how === 'cut') response.destroy();
    else if (how === '503' || how === '504' || how === '502') {
      refuse(response, Number(how), { 'x-metad-version': String(this.now.version) });
    } else if (how === 'older') {
      const old = this.#history[0] ?? never();
      show(response, old.version, old.value);
    } else if (how === 'junk') {
      response.writeHead(200, { 'x-metad-version': String(this.now.version + 100) }).end('<html>');
    } else if (how === '304' && received.headers['if-none-match'] === `"${this.now.version}.json"`) {
      response.writeHead(304, { 'x-metad-version': String(this.now.version) }).end();
    } else if (how === 'timeOut' || seen < this.now.version) this.#answer(response, how);
    else {
      const answer = (): void => {
        this.#held.delete(answer);
        this.#answer(response, how);
      };
      this.#held.add(answer);
      response.on('close', () => this.#held.delete(answer));
    }
  };

  #answer(response: http.ServerResponse, how: Misbehaviour): void {
    const { version, value } = this.now;
    if (how === 'cutBody') {
      response.writeHead(200, { 'x-metad-version': String(version), 'content-length': '50' });
      response.write('"half', () => response.destroy());
    } else if (how === 'late') setTimeout(() => show(response, version, value), 3);
    else show(response, version, value);
  }
}

test('whatever nodes do, a watch gives different states in order, all of them real, and the last one', async () => {
  const step = fc.record({
    script: fc.array(fc.constantFrom(...MISBEHAVIOURS), { maxLength: 6 }),
    versions: fc.integer({ min: 1, max: 5 }),
    value: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
    isAwaited: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      const cluster = new UnreliableCluster();
      const nodes = await Promise.all([1, 2, 3].map(() => StubNode.start(cluster.handle)));
      const client = clientOf(nodes.map(({ url }) => url));
      const watching = new Watching(client, '/a', { waitSeconds: 0.05 });
      const real = new Set([keyOf(1, 'v0')]);
      for (const { script, versions, value, isAwaited } of steps) {
        cluster.plan(script);
        cluster.change(versions, value);
        const state = cluster.now;
        real.add(keyOf(state.version, value));
        if (isAwaited) await watching.until(value ?? null);
      }
      cluster.plan([]);
      cluster.change(1, 'the end');
      real.add(keyOf(cluster.now.version, 'the end'));
      await watching.until('the end');
      await watching.end();
      for (const [i, state] of watching.states.entries()) {
        const before = watching.states[i - 1];
        expect(real).toContain(keyOf(state.version, state.found ? state.value : undefined));
        if (before === undefined) continue;
        expect(state.version).toBeGreaterThan(before.version);
        expect(watching.values[i]).not.toEqual(watching.values[i - 1]);
      }
      await Promise.all(nodes.map((node) => node.stop()));
    }),
    { numRuns: 50 },
  );
});

const keyOf = (version: number, value: unknown): string => `${version} ${value}`;

function never(): never {
  throw new Error('there is one');
}
