// node test/bench/bench.mjs [write] [read] [core] [--seconds N]
//
// Measures three durable nodes on this machine beside what the machine can do without them, in the same run: compare the
// ratios, not the numbers. `core`: the consensus engine alone, by packages/raft-core/bench.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureEtcd, measureReads, measureWrites } from './cells.mjs';
import { etcdVersion } from './etcd.mjs';
import { killAll, makeDataDir, startCluster } from './processes.mjs';
import { describeMachine, loadAverage, printTable, printTimes } from './report.mjs';

const SUITES = {
  write: { title: 'durable writes', measure: measureWrites },
  read: { title: 'reads', measure: measureReads },
};

const CORE = fileURLToPath(new URL('../../packages/raft-core/bench/bench.mjs', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '3' } },
});
const seconds = Number(values.seconds);
const names = positionals.length > 0 ? positionals : [...Object.keys(SUITES), 'core'];
const suites = names.filter((name) => Object.hasOwn(SUITES, name));
const unknown = names.filter((name) => name !== 'core' && !Object.hasOwn(SUITES, name));
if (unknown.length > 0 || !(seconds > 0)) {
  console.error('usage: bench.mjs [write] [read] [core] [--seconds N]');
  process.exit(2);
}

if (suites.length > 0) await measureCluster();
if (names.includes('core')) execFileSync(process.execPath, [CORE], { stdio: 'inherit' });

async function measureCluster() {
  const { dir, remove } = makeDataDir();
  try {
    console.log(describeMachine(dir));
    console.log(
      `Three nodes, the load generator and what it is compared with share this machine. Closed loop: each connection sends\n` +
        `its next request when the last is answered (keep-alive, no pipelining), for ${seconds} s after a warm-up of 1 s, from\n` +
        `a process of its own. Writes: 100-byte values, synced by a majority before they are confirmed. Default settings.\n`,
    );
    for (const name of suites) {
      const cluster = await startCluster(join(dir, name));
      const rows = await SUITES[name].measure({ cluster, dir, seconds });
      await cluster.stop();
      if (name === 'write') rows.push(...(await measureOthers(rows, dir)));
      printTable(SUITES[name].title, rows);
      if (name === 'write') printTimes(rows);
    }
    console.log(`load average at the end: ${loadAverage()}`);
  } finally {
    await killAll();
    remove();
  }
}

/** What others make of the same disk in the same run, where they are installed. */
async function measureOthers(rows, dir) {
  const version = etcdVersion();
  if (version === null) return [];
  console.log(`${version}, three members, default settings`);
  return measureEtcd({ dir: join(dir, 'etcd'), seconds, limit: rows[0].limit });
}
