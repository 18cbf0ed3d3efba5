import { setTimeout as sleep } from 'node:timers/promises';
import { metricsOf, untilReady } from '../cluster.mjs';
import { startJob } from '../processes.mjs';
import { digits, printTable } from '../report.mjs';

const CONNECTIONS = 16;
const MEGABYTE = 1e6;
const POLL_MS = 50;

/** A learner joins and gets all as a snapshot, while clients go on writing to the leader. */
export async function measureLearner(tree, { seconds }) {
  const cell = tree.writeCell(seconds * 3, CONNECTIONS);
  const before = await cell.run();
  const writes = startJob('load.mjs', { ...cell.job, seconds: undefined });
  const addedAt = performance.now();
  const learner = await tree.cluster.addLearner();
  const transfer = await watchTransfer(learner);
  const during = await writes.finish();

  const { bytes, firstAt, lastAt, readyAt } = transfer;
  const rate = (from, to) => bytes / MEGABYTE / ((to - from) / 1000);
  const phase = (name, from, to) => [name, digits((to - from) / 1000, 2), digits(rate(from, to), 1)];
  printTable(
    [`a new learner: ${digits(bytes / MEGABYTE, 0)} MB`, 's', 'MB/s'],
    [
      phase('until its first byte: start, snapshot taken', addedAt, firstAt),
      phase('first byte to last', firstAt, lastAt),
      phase('verified, installed, caught up, ready', lastAt, readyAt),
      phase('all of it', addedAt, readyAt),
    ],
  );
  printTable(
    [`the leader's writes, ${CONNECTIONS} connections`, 'per second', 'p50 ms', 'p99 ms', 'failed'],
    [
      ['before', before],
      ['during', during],
    ].map(([name, row]) => [
      name,
      digits(row.perSecond, 0),
      digits(row.p50Ms, 2),
      digits(row.p99Ms, 2),
      String(row.failed),
    ]),
  );
  return [
    { goal: 'a new learner gets the tree', measured: rate(firstAt, lastAt), unit: ' MB/s', atLeast: 50 },
    { goal: "the leader's p50 meanwhile, times", measured: during.p50Ms / before.p50Ms, atMost: 2 },
    { goal: "the leader's p99 meanwhile, times", measured: during.p99Ms / before.p99Ms, atMost: 2 },
  ];
}

/** When the first and the last bytes of a snapshot came, and when the node was ready. A small tree comes as a log. */
async function watchTransfer(learner) {
  let readyAt = null;
  const ready = untilReady(learner).then(() => {
    readyAt = performance.now();
  });
  let [bytes, firstAt, lastAt] = [0, null, null];
  while (readyAt === null) {
    const [, received] = /^metad_snapshot_received_bytes_total (\d+)/m.exec(await metricsOf(learner)) ?? [];
    if (Number(received) > bytes) {
      bytes = Number(received);
      lastAt = performance.now();
      firstAt ??= lastAt;
    }
    await Promise.race([ready, sleep(POLL_MS)]);
  }
  return { bytes, firstAt: firstAt ?? readyAt, lastAt: lastAt ?? readyAt, readyAt };
}
