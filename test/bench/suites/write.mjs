import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadCell, measure, warmUp } from '../cells.mjs';
import { metricsOf, startCluster } from '../cluster.mjs';
import { etcdVersion, startEtcd } from '../etcd.mjs';
import { observedBetween, readHistograms } from '../histograms.mjs';
import { runJob, startBareLogs } from '../processes.mjs';
import { digits, printGoals, printRates, printTable } from '../report.mjs';

const CONNECTIONS = [1, 16, 64, 256];
const VALUE = 'v'.repeat(90);
const WARM_UP_SECONDS = 8;

const KV = 'POST /write, to the leader';
const MANAGE = 'PUT /v1/data, to the leader';
const ETCD = 'etcd, POST /v3/kv/put, to the leader';
const BARE = 'bare Node: HTTP and three logs, no consensus, no state';
const SYNC = 'one SQLite commit per write, no cluster';

const REQUESTS = {
  [KV]: { method: 'POST', path: '/write', body: `{"Put":{"key":"bench/{c}/k","value":"{n} ${VALUE}"}}` },
  [BARE]: { method: 'POST', path: '/write', body: `{"Put":{"key":"bench/{c}/k","value":"{n} ${VALUE}"}}` },
  [MANAGE]: { method: 'PUT', path: '/v1/data/bench/{c}/k', body: `"{n} ${VALUE}"` },
  // Base64, as the gateway wants: what is put together of whole groups of four is valid whatever the numbers are.
  [ETCD]: {
    method: 'POST',
    path: '/v3/kv/put',
    body: `{"key":"YmVuY2gv{c4}","value":"${'dmFs'.repeat(31)}{n8}"}`,
  },
};

/**
 * Durable writes on three nodes, beside three members of etcd (through its JSON gateway, where it is on the PATH), what Node
 * can do at most (three processes that sync the same bytes and do nothing else), and one synced SQLite transaction per write.
 */
export async function measureWrites({ dir, seconds, passes, scale }) {
  mkdirSync(dir, { recursive: true });
  const cluster = await startCluster(join(dir, 'metad'));
  const version = etcdVersion();
  const etcd = version === null ? null : await startEtcd(join(dir, 'etcd'));
  const bare = await startBareLogs(dir);
  const leader = await cluster.leader();
  const ports = {
    [KV]: [leader.cluster],
    [MANAGE]: [leader.manage],
    [BARE]: [bare.port],
    [ETCD]: etcd && [etcd.leader.client],
  };
  const ways = [KV, MANAGE, BARE, ...(etcd ? [ETCD] : [])];
  const warmUpSeconds = Math.max(WARM_UP_SECONDS * scale, 0.2);
  console.log(
    `Values of 100 bytes, each write synced by a majority before it is confirmed. ${version ?? 'No etcd on the PATH'}.\n` +
      `Warm-up: ${warmUpSeconds} s at 64 connections for each way to write, etcd's included.\n`,
  );
  const cell = (name, connections) =>
    loadCell({ name, ports: ports[name], connections, request: REQUESTS[name], seconds });
  await warmUp(
    ways.map((name) => cell(name, 64)),
    warmUpSeconds,
  );

  const everywhere = cluster.nodes.map((node) => node.cluster);
  const stages = new StageTimes(leader);
  const rows = await measure(
    [
      { name: SYNC, connections: 1, run: () => runJob('bare-sqlite.mjs', { dir, seconds, value: VALUE }) },
      ...CONNECTIONS.flatMap((connections) => ways.map((name) => cell(name, connections))).map((one) =>
        one.name === MANAGE ? stages.watch(one) : one,
      ),
      loadCell({
        name: 'POST /write, to all nodes',
        ports: everywhere,
        connections: 64,
        request: REQUESTS[KV],
        seconds,
      }),
    ],
    passes,
  );
  await cluster.stop();
  await etcd?.stop();
  await bare.stop();

  const [sync] = rows;
  printRates(
    'durable writes',
    rows.toSorted((a, b) => order(a) - order(b)),
    () => sync.perSecond,
  );
  stages.print();
  printTimes('bare Node', BARE, rows);
  if (etcd) printTimes('etcd', ETCD, rows);
  printWriteGoals(rows, sync, etcd !== null);
}

/** Rows of one way to write beside each other. */
function order({ name }) {
  return [SYNC, KV, MANAGE, 'POST /write, to all nodes', ETCD, BARE].indexOf(name);
}

/** Means of what the leader says it spends on `PUT /v1/data`, by the number of connections. */
class StageTimes {
  #leader;
  /** By connections: the histograms, of each pass. */
  #observed = new Map();

  constructor(leader) {
    this.#leader = leader;
  }

  watch(cell) {
    const run = async () => {
      const before = readHistograms(await metricsOf(this.#leader));
      const result = await cell.run();
      const after = readHistograms(await metricsOf(this.#leader));
      this.#observed.set(cell.connections, observedBetween(before, after));
      return result;
    };
    return { ...cell, run };
  }

  print() {
    const shown =
      /^metad_(write_stage_seconds|log_sync_seconds|apply_seconds|commit_seconds|log_batch_entries)/;
    const columns = [...this.#observed.values()];
    const names = [...new Set(columns.flatMap((column) => [...column.keys()]))].filter((key) =>
      shown.test(key),
    );
    const rows = names.map((key) => [
      key,
      ...columns.map((column) => {
        const mean = column.get(key)?.mean;
        return key.includes('_seconds') ? digits(mean && mean * 1000, 3) : digits(mean, 1);
      }),
    ]);
    const head = ['the leader during PUT /v1/data: mean, ms', ...this.#observed.keys()];
    printTable(head.map(String), rows);
  }
}

function find(rows, name, connections) {
  return rows.find((row) => row.name === name && row.connections === connections);
}

/** How the ways to write compare with one of them. */
function printTimes(title, other, rows) {
  const times = (name, of) =>
    CONNECTIONS.map((connections) => of(find(rows, name, connections), find(rows, other, connections)));
  const lines = [KV, MANAGE, BARE]
    .filter((name) => name !== other)
    .flatMap((name) => [
      [`${name}: rate`, times(name, (own, its) => own.perSecond / its.perSecond)],
      [`${name}: its p50 / p50`, times(name, (own, its) => its.p50Ms / own.p50Ms)],
    ]);
  printTable(
    [`times ${title}`, ...CONNECTIONS.map((connections) => `${connections} conns`)],
    lines.map(([name, values]) => [name, ...values.map((value) => digits(value, 2))]),
  );
}

function printWriteGoals(rows, sync, hasEtcd) {
  const goals = [];
  for (const [name, title] of [
    [KV, 'POST /write'],
    [MANAGE, 'PUT /v1/data'],
  ]) {
    for (const [connections, atLeast] of hasEtcd
      ? [
          [1, 2],
          [64, 3],
          [256, 3],
        ]
      : []) {
      const measured = find(rows, name, connections).perSecond / find(rows, ETCD, connections).perSecond;
      goals.push({ goal: `${title}, ${connections} connections, times etcd`, measured, atLeast });
    }
    const measured = find(rows, name, 1).p50Ms / sync.p50Ms;
    goals.push({ goal: `${title}, 1 connection, p50 in bare syncs`, measured, atMost: 3 });
  }
  printGoals(goals);
}
