import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadCell, until } from '../cells.mjs';
import { metricsOf, startCluster } from '../cluster.mjs';
import { startJob } from '../processes.mjs';
import { digits, printTable } from '../report.mjs';

const OVERWRITES = 1_000_000;
const KEYS = 1_000;
const CONNECTIONS = 256;
const SAMPLES = 20;
const MEGABYTE = 1e6;
const COLUMNS = ['log.db', 'log.db-wal', 'state', 'state-wal', 'other'];

/** What the files of the leader take while a thousand keys are written over and over. */
export async function measureOverwrites({ dir, scale }) {
  const cluster = await startCluster(dir);
  const leader = await cluster.leader();
  const total = Math.ceil(OVERWRITES * scale);
  const { job } = loadCell({
    ports: [leader.cluster],
    connections: CONNECTIONS,
    seconds: 1,
    keys: KEYS,
    request: {
      method: 'POST',
      path: '/write',
      body: `{"Put":{"key":"keys/{r}","value":"{c} {n} ${'v'.repeat(90)}"}}`,
    },
  });
  const writes = startJob('load.mjs', { ...job, seconds: undefined });
  const version = async () => Number(/^metad_version (\d+)/m.exec(await metricsOf(leader))?.[1]);
  const rows = [];
  const startedAt = performance.now();
  const first = await version();
  for (let sample = 1; sample <= SAMPLES; sample += 1) {
    const written = await until(
      async () => {
        const done = (await version()) - first;
        return done >= (total * sample) / SAMPLES ? done : null;
      },
      { what: `${total} overwrites`, everyMs: 100, limitMs: 1_800_000 },
    );
    rows.push({ written, seconds: (performance.now() - startedAt) / 1000, sizes: sizesOf(leader.dir) });
  }
  const { failed, firstFailure } = await writes.finish();
  await cluster.stop();
  print(rows);
  console.log(`${failed} writes failed${failed > 0 ? `: ${firstFailure}` : ''}\n`);
}

/** Bytes of the files below a directory, by what they are. */
function sizesOf(dir) {
  const sizes = Object.fromEntries(COLUMNS.map((column) => [column, 0]));
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sizes[columnOf(entry.name)] += sizeOf(join(entry.parentPath, entry.name));
  }
  return sizes;
}

function columnOf(name) {
  if (name === 'log.db' || name === 'log.db-wal') return name;
  if (!name.startsWith('state')) return 'other';
  return name.endsWith('-wal') ? 'state-wal' : 'state';
}

/** A file may be removed at any moment. */
function sizeOf(file) {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function print(rows) {
  const most = Object.fromEntries(
    COLUMNS.map((name) => [name, Math.max(...rows.map(({ sizes }) => sizes[name]))]),
  );
  const megabytes = (sizes) => COLUMNS.map((column) => digits(sizes[column] / MEGABYTE, 1));
  const total = (sizes) => digits(COLUMNS.reduce((sum, column) => sum + sizes[column], 0) / MEGABYTE, 1);
  printTable(
    ['overwrites; MB of the leader’s files', 's', ...COLUMNS, 'all'],
    [
      ...rows.map(({ written, seconds, sizes }) => [
        String(written),
        digits(seconds, 0),
        ...megabytes(sizes),
        total(sizes),
      ]),
      ['the most of each', '', ...megabytes(most), ''],
    ],
  );
}
