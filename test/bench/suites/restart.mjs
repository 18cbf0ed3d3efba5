import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../cells.mjs';
import { startNode, statusOf } from '../cluster.mjs';
import { end } from '../processes.mjs';
import { digits, printTable } from '../report.mjs';

const POLL_MS = 5;
const LIMIT_MS = 60_000;

/** One node of three is ended and started again: how long from its start until it is ready, and until it answers reads. */
export async function measureRestart(tree, passes) {
  const node = tree.cluster.nodes.find((other) => other !== tree.leader);
  const rows = [];
  for (const [name, signal] of [
    ['an orderly end', 'SIGTERM'],
    ['kill -9', 'SIGKILL'],
  ]) {
    const times = [];
    for (let pass = 0; pass < passes; pass += 1) times.push(await restart(node, signal, tree.headers));
    const middle = (key) => median(times.map((time) => time[key]));
    rows.push({ name: `${tree.leaves} leaves, after ${name}`, ready: middle('ready'), read: middle('read') });
  }
  printTable(
    ['restart of one node: s from exec to 200', '/ready', 'a metadata read'],
    rows.map(({ name, ready, read }) => [name, digits(ready, 2), digits(read, 2)]),
  );
  return rows.map(({ name, ready, read }) => ({
    goal: `restart, ${name}: ready and serving`,
    measured: Math.max(ready, read),
    unit: ' s',
    atMost: 2,
  }));
}

async function restart(node, signal, headers) {
  await end(node.child, signal);
  const startedAt = performance.now();
  startNode(node);
  const firstOk = async (url) => {
    while (performance.now() - startedAt < LIMIT_MS) {
      if ((await statusOf(url, headers)) === 200) return (performance.now() - startedAt) / 1000;
      await sleep(POLL_MS);
    }
    throw new Error(`${url} did not answer 200:\n${node.child.log}`);
  };
  const [ready, read] = await Promise.all([
    firstOk(`http://127.0.0.1:${node.manage}/ready`),
    firstOk(`http://127.0.0.1:${node.metadata}/self/node`),
  ]);
  return { ready, read };
}
