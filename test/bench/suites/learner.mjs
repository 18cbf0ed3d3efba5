import { until } from '../cells.mjs';
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
  const received = async () => {
    const [, bytes] = /^metad_snapshot_received_bytes_total (\d+)/m.exec(await metricsOf(learner)) ?? [];
    return Number(bytes);
  };
  const firstAt = await until(async () => (await received()) > 0 && performance.now(), {
    what: 'the first bytes',
    everyMs: POLL_MS,
  });
  let bytes = 0;
  let lastAt = firstAt;
  const ready = untilReady(learner).then(() => performance.now());
  const readyAt = await until(
    async () => {
      const now = await received();
      if (now > bytes) [bytes, lastAt] = [now, performance.now()];
      return Promise.race([ready, null]);
    },
    { what: 'a learner that is ready', everyMs: POLL_MS },
  );
  const during = await writes.finish();

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
    { goal: 'a learner gets the tree', measured: rate(firstAt, lastAt), unit: ' MB/s', atLeast: 50 },
    { goal: "the leader's p50 meanwhile, times", measured: during.p50Ms / before.p50Ms, atMost: 2 },
    { goal: "the leader's p99 meanwhile, times", measured: during.p99Ms / before.p99Ms, atMost: 2 },
  ];
}
