import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadCell, measure, startWrites, until, warmUp } from '../cells.mjs';
import { put, startCluster } from '../cluster.mjs';
import { cpuSeconds } from '../processes.mjs';
import { digits, printGoals, printTable } from '../report.mjs';
import { measureLearner } from './learner.mjs';
import { measureRestart } from './restart.mjs';

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
/** However small the scale is. */
const LEAST = 10;
const CONNECTIONS = 64;
const LEAVES_PER_PUT = 5_000;
const PUTS_AT_ONCE = 2;
const WARM_UP_SECONDS = 2;
/** With each of them a node forgets what it has answered. */
const WRITES_PER_SECOND = 500;
const VALUE = 'v'.repeat(200);
const CLIENT = '192.0.2.7';
const HEADERS = `Accept: application/json\r\nX-Forwarded-For: ${CLIENT}\r\n`;

const KINDS = [
  {
    name: 'PUT of a random leaf, to the leader',
    port: 'manage',
    request: { method: 'PUT', path: '/v1/data/leaves/{q}/{r}', body: `"{n8} ${VALUE}"` },
  },
  {
    name: 'GET of one of a thousand leaves, the leader',
    port: 'metadata',
    keys: 1000,
    request: { method: 'GET', path: '/leaves/{q}/{r}', headers: HEADERS },
  },
  {
    name: `GET of a random leaf beside ${WRITES_PER_SECOND} writes/s, the leader`,
    port: 'metadata',
    writes: WRITES_PER_SECOND,
    request: { method: 'GET', path: '/leaves/{q}/{r}', headers: HEADERS },
  },
  {
    name: 'GET of a random leaf that is kept or not, the leader',
    port: 'metadata',
    hasGoal: false,
    request: { method: 'GET', path: '/leaves/{q}/{r}', headers: HEADERS },
  },
  {
    name: 'GET /self/node, the leader',
    port: 'metadata',
    request: { method: 'GET', path: '/self/node', headers: HEADERS },
  },
];

/** How the cost of reads and writes grows with the tree; a restart and a new learner with the largest. */
export async function measureTree({ dir, seconds, passes, scale }) {
  const sizes = [...new Set(SIZES.map((size) => Math.max(Math.round(size * scale), LEAST)))];
  const [least] = sizes;
  console.log(
    `Leaves of 200 bytes, 1,000 in each folder. Two clusters at once: one keeps ${least} leaves, the other one grows; each\n` +
      `size is measured beside the small one, for ${seconds} s, so that ratios are of the same minute. CPU: of all three nodes, per\n` +
      `request. A node keeps the answers that it has given until the next write: so beside writes each leaf is read from the tree,\n` +
      `and in peace those of the few leaves are kept, of a random leaf of many hardly any.\n`,
  );
  const small = await Tree.start(join(dir, 'small'), least);
  const large = await Tree.start(join(dir, 'large'), least);
  const rows = [];
  for (const size of sizes.slice(1)) {
    await large.growTo(size);
    const [few, many] = [small.cells(seconds), large.cells(seconds)];
    const cells = few.flatMap((cell, i) => [cell, many[i]]);
    // The one that has just been filled has files and caches of another size.
    await warmUp(cells, Math.max(WARM_UP_SECONDS * scale, 0.2));
    rows.push(...(await measure(cells, passes)));
  }
  printGrowth(rows);
  await small.cluster.stop();

  const restart = await measureRestart(large, passes);
  const learner = await measureLearner(large, { seconds });
  await large.cluster.stop();
  printGoals([...growthGoals(rows), ...restart, ...learner]);
}

/** A cluster with a tree of some size. */
export class Tree {
  cluster;
  leader;
  leaves = 0;
  /** As a client sends them who sees all leaves. */
  headers = { Accept: 'application/json', 'X-Forwarded-For': CLIENT };

  static async start(dir, leaves) {
    const tree = new Tree();
    tree.cluster = await startCluster(dir);
    tree.leader = await tree.cluster.leader();
    await put(tree.leader, 'data', { nodes: { 2: { ip: '192.0.2.2', name: 'node2', zone: 'a' } } });
    await put(tree.leader, 'mapping', { [CLIENT]: { node: '/nodes/2' } });
    await put(tree.leader, 'rule', { [CLIENT]: [{ path: '/', mode: 1 }] });
    await tree.growTo(leaves);
    return tree;
  }

  async growTo(leaves) {
    const parts = [];
    for (let from = this.leaves; from < leaves; from += LEAVES_PER_PUT) {
      parts.push([from, Math.min(from + LEAVES_PER_PUT, leaves)]);
    }
    const fill = async () => {
      for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
        await put(this.leader, 'data/leaves', folders(...part));
      }
    };
    await Promise.all(Array.from({ length: PUTS_AT_ONCE }, fill));
    this.leaves = leaves;
    await this.#untilQuiet();
  }

  /** What was written is on all nodes, and what follows it (moving pages, dropping the log) is done. */
  async #untilQuiet() {
    const used = () => this.#cpu();
    await until(
      async () => {
        const before = used();
        await sleep(500);
        return used() - before < 0.1;
      },
      { what: 'a cluster at rest' },
    );
  }

  #cpu() {
    return this.cluster.nodes.reduce((sum, { child }) => sum + cpuSeconds(child), 0);
  }

  writeCell(seconds, connections = CONNECTIONS) {
    return this.#cell(KINDS[0], seconds, connections);
  }

  cells(seconds) {
    return KINDS.map((kind) => this.#cell(kind, seconds, CONNECTIONS));
  }

  #cell({ name, port, request, keys: most, writes }, seconds, connections) {
    const keys = Math.min(this.leaves, most ?? this.leaves);
    const cell = loadCell({ name, ports: [this.leader[port]], connections, request, seconds, keys });
    const run = async () => {
      const beside = writes === undefined ? null : startWrites(this.leader, writes);
      const before = this.#cpu();
      const result = await cell.run();
      const cpuMicros = ((this.#cpu() - before) * 1e6) / result.total;
      await beside?.finish();
      return { ...result, leaves: this.leaves, cpuMicros };
    };
    return { ...cell, run };
  }
}

function folders(from, to) {
  const tree = {};
  for (let leaf = from; leaf < to; leaf += 1) {
    const folder = Math.floor(leaf / 1000);
    tree[folder] ??= {};
    tree[folder][leaf] = `${String(leaf).padStart(8, '0')} ${VALUE}`;
  }
  return tree;
}

function pairs(rows) {
  return rows.flatMap((row, i) => (i % 2 === 0 ? [{ small: row, large: rows[i + 1] }] : []));
}

function printGrowth(rows) {
  const lines = pairs(rows)
    .toSorted(
      (a, b) =>
        KINDS.findIndex(({ name }) => name === a.small.name) -
        KINDS.findIndex(({ name }) => name === b.small.name),
    )
    .map(({ small, large }) => [
      large.name,
      String(large.leaves),
      digits(large.perSecond, 0),
      digits(large.p50Ms, 2),
      digits(large.p99Ms, 2),
      digits(large.cpuMicros, 0),
      digits(small.perSecond / large.perSecond, 2),
      digits(large.cpuMicros / small.cpuMicros, 2),
      String(large.failed),
    ]);
  const { leaves } = rows[0];
  printTable(
    [
      'as the tree grows',
      'leaves',
      'per second',
      'p50 ms',
      'p99 ms',
      'CPU µs',
      `slower than with ${leaves}`,
      'CPU, times',
      'failed',
    ],
    lines,
  );
}

function growthGoals(rows) {
  return pairs(rows)
    .slice(-KINDS.length)
    .filter((_, i) => KINDS[i].hasGoal !== false)
    .flatMap(({ small, large }) => {
      const what = `${large.name.split(',')[0]}, ${large.leaves} leaves for ${small.leaves}`;
      return [
        { goal: `${what}: times slower`, measured: small.perSecond / large.perSecond, atMost: 1.3 },
        { goal: `${what}: times the CPU`, measured: large.cpuMicros / small.cpuMicros, atMost: 1.3 },
      ];
    });
}
