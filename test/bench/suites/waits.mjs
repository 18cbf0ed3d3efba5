import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { median, startWrites, until } from '../cells.mjs';
import { metricsOf, put, startCluster } from '../cluster.mjs';
import { Holder } from '../holder.mjs';
import { cpuSeconds, heldBytes, startBareHttp } from '../processes.mjs';
import { clientAddress } from '../programs/client-address.mjs';
import { digits, printGoals, printTable } from '../report.mjs';

const WAITERS = 10_000;
const FEW = 10;
const IDLE_SECONDS = 10;
const SETTLE_SECONDS = 3;
/** V8 collects once more when a heap that grew has been quiet for some eight seconds; that is not what waiting costs. */
const QUIET_HEAP_SECONDS = 15;
/** A release takes a quarter of a second: one in three is as much as a tenth slower than another. */
const ROUNDS_PER_PASS = 3;
const ONE_ROUNDS = 200;
const ONE_PAUSE_MS = 20;
const WRITES_PER_SECOND = 1000;
const CLIENTS_PER_WRITE = 1000;
/** A node that holds nothing differs by as much from one ten seconds to the next. */
const IDLE_CPU_AIM_MS = 5;
const SHARED = '/self/cluster';
const OWN = '/self/node';

/** Held requests on nodes of three, beside node:http that holds as many and answers the same bytes. */
export async function measureWaits({ dir, passes, scale }) {
  const count = Math.max(Math.round(WAITERS * scale), FEW);
  console.log(
    `${count} clients wait on a follower, each with an address, a mapping and rules of its own; a process of its own holds\n` +
      `their connections and sends the change. Memory and processor time are those of the serving process alone, taken\n` +
      `while all wait, after two rounds of a tenth as many; memory once the garbage of all its threads is collected.\n`,
  );
  const cluster = await startCluster(dir, { collects: true });
  const leader = await cluster.leader();
  const [follower, idleFollower] = cluster.nodes.filter(({ id }) => id !== leader.id);
  await prepareClients(leader, count);

  const waitingOn = ({ child, metadata, manage }) =>
    new Waiting({
      child,
      port: metadata,
      held: async () => Number(/^metad_waiters (\d+)/m.exec(await metricsOf({ manage }))?.[1]),
      trigger: (round) => change(leader, 'clusters/a/release', `release ${round}`),
    });
  const answer = await recordAnswer(follower);
  const servers = [await startBareHttp(answer), await startBareHttp(answer, { collects: true })];
  const [bare, idleBare] = servers.map(
    ({ child, port }) =>
      new Waiting({
        child,
        port,
        held: async () => Number(await textOf(port, '/held')),
        trigger: () => ({ port, method: 'POST', path: '/release', body: '' }),
      }),
  );
  const [node, idleNode] = [waitingOn(follower), waitingOn(idleFollower)];
  try {
    // Servers of their own: a collector that was asked to collect goes on by other limits.
    const idle = { bare: await idleBare.idle(count, scale), node: await idleNode.idle(count, scale) };
    printIdle(idle, count);
    const rounds = { bare: [], shared: [], own: [] };
    for (let round = 0; round <= passes * ROUNDS_PER_PASS; round += 1) {
      rounds.bare.push(await bare.releaseAll(count, SHARED));
      rounds.shared.push(await node.releaseAll(count, SHARED));
      rounds.own.push(await node.releaseAll(count, '/self'));
    }
    const all = Object.fromEntries(
      Object.entries(rounds).map(([name, results]) => [name, middleOf(results)]),
    );
    printAll(all, count);
    const one = await measureOne({ node, leader, count, scale });
    printOne(one);
    printWaitGoals({ idle, all, one, count });
  } finally {
    for (const waiting of [node, idleNode, bare, idleBare]) waiting.stop();
    await Promise.all([cluster.stop(), ...servers.map((server) => server.stop())]);
  }
}

/** One server and those who wait on it. */
class Waiting {
  #server;
  #holder = new Holder();
  #round = 0;

  constructor(server) {
    this.#server = server;
  }

  /** Resolves once the server holds all. */
  async hold(count, path) {
    const separator = path.includes('?') ? '&' : '?';
    await this.#holder.hold({ port: this.#server.port, path: `${path}${separator}wait=true`, count });
    await until(async () => (await this.#server.held()) === count, { what: `${count} requests held` });
  }

  async close() {
    await this.#holder.close();
    await until(async () => (await this.#server.held()) === 0, { what: 'no request held' });
  }

  async releaseAll(count, path) {
    await this.hold(count, path);
    this.#round += 1;
    const cpuBefore = cpuSeconds(this.#server.child);
    const result = await this.#holder.releaseAll(this.#server.trigger(this.#round));
    const cpuMs = (cpuSeconds(this.#server.child) - cpuBefore) * 1000;
    await this.close();
    if (result.failed > 0) throw new Error(`${result.failed} waits failed: ${result.firstFailure}`);
    return { ...result, cpuMs };
  }

  /** What the server takes for requests that it holds and that nothing happens to. */
  async idle(count, scale) {
    for (let round = 0; round < 2; round += 1) await this.releaseAll(Math.ceil(count / 10), SHARED);
    const { child } = this.#server;
    await sleep(SETTLE_SECONDS * 1000 * Math.min(1, scale * 10));
    const cpuBefore = await this.#cpuShare(scale);
    const before = await heldBytes(child);
    await this.hold(count, `${SHARED}?timeout=600`);
    await sleep(SETTLE_SECONDS * 1000 * Math.min(1, scale * 10));
    // What it took to accept them is collected here, and not while the processor's time is taken.
    const { resident, heap } = await heldBytes(child);
    await sleep(QUIET_HEAP_SECONDS * 1000 * Math.min(1, scale * 10));
    const cpu = await this.#cpuShare(scale);
    await this.close();
    return {
      bytes: (resident - before.resident) / count,
      heap: (heap - before.heap) / count,
      cpuBefore,
      cpu,
    };
  }

  /** Processor time of the server over some seconds, as a share of one processor. */
  async #cpuShare(scale) {
    const seconds = Math.max(IDLE_SECONDS * scale, 0.3);
    const before = cpuSeconds(this.#server.child);
    await sleep(seconds * 1000);
    return (cpuSeconds(this.#server.child) - before) / seconds;
  }

  releaseOne(options) {
    return this.#holder.releaseOne(options);
  }

  stop() {
    this.#holder.stop();
  }
}

/** A change that concerns one client, among few and among many, in peace and beside writes that concern nobody. */
async function measureOne({ node, leader, count, scale }) {
  const rows = [];
  const rounds = Math.max(Math.round(ONE_ROUNDS * scale), 5);
  const trigger = change(leader, 'nodes/{client}/name', 'name {change}');
  for (const rate of [0, WRITES_PER_SECOND]) {
    const writes = rate > 0 ? startWrites(leader, rate) : null;
    for (const waiters of [FEW, count]) {
      await node.hold(waiters, `${OWN}?timeout=600`);
      const path = `${OWN}?timeout=600&wait=true`;
      rows.push({
        waiters,
        rate,
        ...(await node.releaseOne({ rounds, pauseMs: ONE_PAUSE_MS, path, trigger })),
      });
      await node.close();
    }
    const done = await writes?.finish();
    for (const row of rows.filter((row) => row.rate === rate)) row.written = done?.perSecond ?? 0;
  }
  return rows;
}

function change({ manage }, path, value) {
  return { port: manage, method: 'PUT', path: `/v1/data/${path}`, body: JSON.stringify(value) };
}

async function prepareClients(leader, count) {
  const cluster = {
    name: 'shop',
    dns: '10.0.0.2',
    ntp: '10.0.0.3',
    release: '0',
    zones: { a: 'up', b: 'up' },
  };
  await put(leader, 'data/clusters/a', cluster);
  for (let from = 0; from < count; from += CLIENTS_PER_WRITE) {
    const numbers = Array.from({ length: Math.min(CLIENTS_PER_WRITE, count - from) }, (_, i) => from + i);
    const each = (key, value) => Object.fromEntries(numbers.map((n) => [key(n), value(n)]));
    const show = (path) => ({ path, mode: 1 });
    await put(
      leader,
      'data/nodes',
      each(String, (n) => ({ ip: clientAddress(n), name: `node-${n}` })),
    );
    await put(
      leader,
      'mapping',
      each(clientAddress, (n) => ({ cluster: '/clusters/a', node: `/nodes/${n}` })),
    );
    await put(
      leader,
      'rule',
      each(clientAddress, (n) => [show('/clusters/a'), show(`/nodes/${n}`)]),
    );
  }
}

/** What a client is answered at last, once the follower has all of it. */
async function recordAnswer({ metadata }) {
  const headers = { Accept: 'application/json', 'X-Forwarded-For': clientAddress(0) };
  const answer = await request(`http://127.0.0.1:${metadata}${SHARED}?consistency=linearizable`, { headers });
  const body = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`GET ${SHARED}: ${answer.statusCode} ${body}`);
  const { date, connection, 'keep-alive': keepAlive, ...kept } = answer.headers;
  return { headers: kept, body };
}

async function textOf(port, path) {
  const { body } = await request(`http://127.0.0.1:${port}${path}`);
  return body.text();
}

/** In the middle by the last answer; the first round was for the compilers. */
function middleOf([, ...results]) {
  const last = median(results.map(({ lastMs }) => lastMs));
  return results.find(({ lastMs }) => lastMs === last);
}

function printIdle({ bare, node }, count) {
  const row = (name, { bytes, heap, cpuBefore, cpu }) => [
    name,
    digits(bytes / 1024, 1),
    digits(heap / 1024, 1),
    digits(cpuBefore * 1000, 1),
    digits(cpu * 1000, 1),
  ];
  const head = [
    `${count} requests held, nothing happens`,
    'KiB each',
    'of it objects',
    'CPU ms/s before',
    'CPU ms/s',
  ];
  printTable(head, [row('node:http', bare), row('metad, a follower', node)]);
}

function printAll({ bare, shared, own }, count) {
  const row = (name, { firstMs, medianMs, lastMs, cpuMs }) => [
    name,
    ...[firstMs, medianMs, lastMs].map((ms) => digits(ms, 1)),
    digits(lastMs / bare.lastMs, 2),
    digits(cpuMs, 0),
  ];
  printTable(
    [`one change answers ${count}: ms after it`, 'first', 'half', 'last', 'ratio', 'CPU ms'],
    [
      row('node:http', bare),
      row(`metad, GET ${SHARED}, the same bytes`, shared),
      row('metad, GET /self, to each its own', own),
    ],
  );
}

function printOne(rows) {
  printTable(
    [
      'one change concerns one: ms after it',
      'waiters',
      'writes/s elsewhere',
      'p50',
      'p99',
      'others answered',
    ],
    rows.map(({ waiters, written, p50Ms, p99Ms, others }) => [
      `metad, GET ${OWN}`,
      String(waiters),
      digits(written, 0),
      digits(p50Ms, 2),
      digits(p99Ms, 2),
      String(others),
    ]),
  );
}

function printWaitGoals({ idle, all, one, count }) {
  const [few, many, fewBusy, manyBusy] = one;
  printGoals([
    {
      goal: `the last of ${count} is answered, times node:http`,
      measured: all.shared.lastMs / all.bare.lastMs,
      atMost: 1.5,
    },
    {
      goal: 'memory per waiter above node:http',
      measured: (idle.node.bytes - idle.bare.bytes) / 1024,
      unit: ' KiB',
      atMost: 8,
    },
    {
      goal: `processor time for ${count} idle waiters`,
      measured: (idle.node.cpu - idle.node.cpuBefore) * 1000,
      unit: ' ms/s',
      atMost: IDLE_CPU_AIM_MS,
    },
    {
      goal: `one of ${count} is answered, times one of ${FEW}: p50`,
      measured: many.p50Ms / few.p50Ms,
      atMost: 1.2,
    },
    {
      goal: `the same, beside ${WRITES_PER_SECOND} writes/s elsewhere`,
      measured: manyBusy.p50Ms / fewBusy.p50Ms,
      atMost: 1.2,
    },
  ]);
}
