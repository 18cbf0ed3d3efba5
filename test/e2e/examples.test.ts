import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useCluster } from './cluster.ts';
import { releasePorts, reserveRow } from './ports.ts';
import { ScriptProcess } from './script-process.ts';
import { waitUntil } from './wait-until.ts';

// The examples, as they are, against three nodes.

const example = (path: string): string => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));
const cluster = useCluster();
/** Where the examples come from: they run on this machine. */
const here = '127.0.0.1';

beforeAll(() => cluster.form(3));

describe('curl-tour', () => {
  test('gets the answers that it expects from any node, and leaves nothing behind', async () => {
    const before = await cluster.readAll(1);
    for (const id of cluster.ids) {
      const { metadata, manage, cluster: kv } = cluster.node(id).ports;
      const url = (port: number): string => `http://127.0.0.1:${port}`;
      const env = { METADATA: url(metadata), MANAGE: url(manage), CLUSTER: url(kv) };
      const tour = new ScriptProcess(example('curl-tour/tour.sh'), [], env);
      const exit = await tour.exited;
      expect(exit, tour.log).toEqual({ code: 0, signal: null });
      expect(await cluster.readAll(id)).toEqual(before);
    }
  });
});

describe('client', () => {
  test('shows what it says, through any nodes, and leaves nothing behind', async () => {
    const before = await cluster.readAll(1);
    const urls = (port: 'metadata' | 'manage'): string =>
      cluster.ids.map((id) => `http://127.0.0.1:${cluster.node(id).ports[port]}`).join(',');
    const env = { METADATA: urls('metadata'), MANAGE: urls('manage') };
    const tour = new ScriptProcess(example('client/tour.mjs'), [], env);
    const exit = await tour.exited;
    expect(exit, tour.log).toEqual({ code: 0, signal: null });
    const steps = [...tour.log.matchAll(/^version \d+: \{"name":"client","step":"(\d)"\}$/gm)];
    expect(steps.map(([, step]) => step)).toEqual(['1', '2', '3']);
    expect(tour.log).toMatch(
      /tour \(127\.0\.0\.1\) \{ kind: 'data', path: '\/tour\/step', before: '2', after: '3' \}/,
    );
    expect(await cluster.readAll(1)).toEqual(before);
  });
});

describe('learner-capacity', () => {
  test('has both nodes answer reads, and says how many', async () => {
    const ports = await reserveRow(6);
    const flags = ['--seconds', '0.3', '--connections', '4', '--port', String(ports[0])];
    const capacity = new ScriptProcess(example('learner-capacity/run.mjs'), flags);
    const exit = await capacity.exited;
    releasePorts(ports);
    expect(exit, capacity.log).toEqual({ code: 0, signal: null });
    const [, ...rates] = /^clients spread over both +([\d,]+) +([\d,]+) +([\d,]+) /m.exec(capacity.log) ?? [];
    expect(rates, capacity.log).toHaveLength(3);
    for (const rate of rates) expect(Number(rate.replaceAll(',', ''))).toBeGreaterThan(0);
    expect(capacity.log).toMatch(/With the learner the cluster answered \d+\.\d\d times as many reads/);
  });
});

describe('watcher', () => {
  let watcher: ScriptProcess;
  let file: string;

  afterAll(() => watcher.end('SIGKILL'));

  /** What the file holds; null while there is none. */
  const content = (): unknown => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null);

  async function follows(counter: number): Promise<void> {
    await waitUntil(() => {
      if (watcher.exit) throw new Error('the watcher has ended');
      return JSON.stringify(content()) === JSON.stringify({ host: { counter: String(counter) } });
    }, `the file to hold ${counter}; the watcher says: ${watcher.log}`);
  }

  async function count(id: number, counter: number): Promise<void> {
    await cluster.client([id]).data.merge('/hosts/here/counter', counter);
  }

  test('keeps its file in step with /self while nodes are killed and come back', async () => {
    file = join(cluster.scratch('watcher'), 'self.json');
    const nodes = cluster.ids.flatMap((id) => [
      '--node',
      `http://127.0.0.1:${cluster.node(id).ports.metadata}`,
    ]);
    watcher = new ScriptProcess(example('watcher/dist/watch.js'), ['--file', file, ...nodes]);
    await cluster.client().mapping.merge(`/${here}`, { host: '/hosts/here' });
    await count(1, 1);
    await follows(1);

    await count(2, 2);
    await follows(2);

    // The one that the watcher asks first, then whoever leads.
    let counter = 2;
    for (const victim of [1, await cluster.leader()]) {
      await cluster.kill9(victim);
      const witness = cluster.runningIds[0] ?? 0;
      for (let step = 0; step < 3; step += 1) {
        counter += 1;
        await count(witness, counter);
        await follows(counter);
      }
      await cluster.start(victim);
    }
  });

  test('removes the file while nothing is shown, and ends on SIGTERM', async () => {
    await cluster.client([1]).mapping.delete(`/${here}`);
    await waitUntil(() => !existsSync(file), 'the file to be removed');
    await cluster.client([2]).mapping.merge(`/${here}`, { host: '/hosts/here' });
    await waitUntil(() => existsSync(file), 'the file to be back');
    expect(await watcher.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});
