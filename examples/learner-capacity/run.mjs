import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MetadError, MetadManageClient } from '@metad/metad-api/client';
import { Clients } from './clients.mjs';
import { addLearner, CapacityNode, ClusterError, HOST } from './cluster.mjs';
import { cpuBudget } from './cpu-budget.mjs';
import { readOptions, USAGE, UsageError } from './options.mjs';
import { describe, printTable, total } from './report.mjs';

const NODES = 2;
/** How often each of what is compared is measured: the pass in the middle counts, by its rate. */
const PASSES = 3;
/** Ctrl-C ends the measurement, and then what was started for it. */
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => stop.abort(new Interruption(name)));

class Interruption extends Error {}

async function main(options) {
  const budget = cpuBudget({ nodes: NODES, ...options });
  const dataDir = mkdtempSync(join(tmpdir(), 'metad-learner-capacity-'));
  const nodes = [];
  const clients = new Clients('/self/node');
  const start = (id, ...flags) => {
    const node = new CapacityNode({ id, port: options.port + 3 * (id - 1), dataDir, budget, flags });
    nodes.push(node);
    return node;
  };
  try {
    console.log(`${describe(options)}; ${budget.words}.\n`);
    const voter = start(1);
    await voter.answers('manage', '/ready');
    await writeSample(voter);

    const askOf = (...asked) => {
      const ports = asked.map((node) => node.ports.metadata);
      clients.spread(ports, options.connections);
      return measure(clients, asked, options);
    };
    const before = await askOf(voter);

    const learner = start(2, '--standby');
    const joining = await observe(clients, [voter], () => addLearner(voter, learner));

    // In turns, as the speed of many machines changes from one quarter of a minute to the next.
    const one = [];
    const both = [];
    for (let pass = 0; pass < PASSES; pass += 1) {
      one.push(await askOf(voter));
      both.push(await askOf(voter, learner));
    }
    if (clients.failure !== null) throw new ClusterError(`a read has failed: ${clients.failure}`);
    printTable({ before, joining, one: middle(one), both: middle(both) }, budget);
  } finally {
    clients.stop();
    for (const node of nodes) await node.stop();
    budget.release();
    rmSync(dataDir, { recursive: true });
  }
}

/** What the clients ask for: this machine's own node. */
async function writeSample(node) {
  const manage = new MetadManageClient({ endpoints: [node.url('manage')] });
  const host = { hostname: 'web-1.shop.internal', ip: '10.0.0.11', role: 'web', zone: 'a' };
  await manage.data.merge('/nodes/web-1', host);
  await manage.mapping.replace(`/${HOST}`, { node: '/nodes/web-1' });
  manage.close();
}

async function measure(clients, nodes, { seconds }) {
  // As long again before it, so that the code that is measured is compiled and the caches are full.
  await pause(seconds);
  return observe(clients, nodes, () => pause(seconds));
}

async function pause(seconds) {
  try {
    await sleep(seconds * 1000, undefined, { signal: stop.signal });
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  }
}

function middle(passes) {
  const byRate = passes.toSorted((a, b) => total(a.nodes) - total(b.nodes));
  return byRate[Math.floor(byRate.length / 2)];
}

/** What is answered, and what that takes of the processors, while something goes on. */
async function observe(clients, nodes, run) {
  const look = () => ({
    at: performance.now(),
    clientsCpu: process.cpuUsage(),
    nodes: nodes.map((node) => ({
      answered: clients.answered(node.ports.metadata),
      cpuSeconds: node.cpuSeconds(),
    })),
  });
  const before = look();
  await run();
  const after = look();
  const seconds = (after.at - before.at) / 1000;
  const cpu = process.cpuUsage(before.clientsCpu);
  return {
    seconds,
    clientsCpu: (cpu.user + cpu.system) / 1e6 / seconds,
    nodes: after.nodes.map(({ answered, cpuSeconds }, i) => ({
      perSecond: (answered - before.nodes[i].answered) / seconds,
      cpu: cpuSeconds === null ? null : (cpuSeconds - before.nodes[i].cpuSeconds) / seconds,
    })),
  };
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else await main(options);
} catch (error) {
  // The nodes hear of Ctrl-C as well, so they may have ended first.
  const reason = stop.signal.aborted ? stop.signal.reason : error;
  const isExpected = [UsageError, ClusterError, MetadError, Interruption].some(
    (kind) => reason instanceof kind,
  );
  if (!isExpected) throw reason;
  console.error(reason.message);
  process.exitCode = reason instanceof UsageError ? 2 : 1;
}
