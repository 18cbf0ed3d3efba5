// npm run bench -- [suite …] [--seconds N] [--passes N] [--scale X]
//
// Measures durable nodes on this machine beside what the machine can do without them, in the same run: compare the ratios,
// not the numbers.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { killAll, makeDataDir } from './processes.mjs';
import { describeMachine, loadAverage } from './report.mjs';
import { measureOverwrites } from './suites/overwrites.mjs';
import { measureReads } from './suites/read.mjs';
import { measureTree } from './suites/tree.mjs';
import { measureWaits } from './suites/waits.mjs';
import { measureWrites } from './suites/write.mjs';

const CORE = fileURLToPath(new URL('../../packages/raft-core/bench/bench.mjs', import.meta.url));

/** In the order in which they run. */
const SUITES = {
  write: measureWrites,
  read: measureReads,
  waits: measureWaits,
  tree: measureTree,
  overwrites: measureOverwrites,
  core: () => execFileSync(process.execPath, [CORE], { stdio: 'inherit' }),
};
const DEFAULT_SUITES = ['write', 'read', 'waits', 'tree', 'core'];

const USAGE = `usage: npm run bench -- [suite …] [options]

suites (without any: ${DEFAULT_SUITES.join(', ')})
  write       durable writes, beside etcd (where it is on the PATH), what Node can do at most, and one SQLite transaction each
  read        metadata reads, beside node:http that answers the same bytes; linearizable reads
  waits       10,000 held requests, beside node:http that holds as many
  tree        how reads and writes grow with the tree, up to a million leaves; restart; a learner that gets all of them
  overwrites  a million overwrites of a thousand keys: what the files take meanwhile
  core        the consensus engine alone

options
  --seconds N  how long each cell is measured in each pass (default 2)
  --passes N   how often each cell is measured; the pass in the middle counts (default 3)
  --scale X    share of the leaves, waiters and overwrites (default 1); less is for trying out, and shows nothing
  --help       this text
`;

const options = parseOptions();
if (typeof options === 'string') {
  process.stderr.write(`${options}\n\n${USAGE}`);
  process.exitCode = 2;
} else if (options.help) {
  process.stdout.write(USAGE);
} else {
  await run(options);
}

/** What was asked for, or what is wrong with it. */
function parseOptions() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: 'string', default: '2' },
        passes: { type: 'string', default: '3' },
        scale: { type: 'string', default: '1' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    // The first sentence says what it is; the rest is about other command lines.
    return error.message.split('. ')[0];
  }
  const { values, positionals } = parsed;
  const [seconds, passes, scale] = [Number(values.seconds), Number(values.passes), Number(values.scale)];
  const unknown = positionals.find((name) => !Object.hasOwn(SUITES, name));
  if (unknown !== undefined) return `there is no suite ${unknown}`;
  if (!(seconds > 0 && seconds <= 600)) return '--seconds is a number above 0, at most 600';
  if (!(Number.isInteger(passes) && passes > 0)) return '--passes is a whole number above 0';
  if (!(scale > 0 && scale <= 1)) return '--scale is a number above 0, at most 1';
  const asked = positionals.length > 0 ? positionals : DEFAULT_SUITES;
  const names = Object.keys(SUITES).filter((name) => asked.includes(name));
  return { help: values.help, names, seconds, passes, scale };
}

async function run({ names, seconds, passes, scale }) {
  const { dir, remove } = makeDataDir();
  try {
    console.log(`${describeMachine(dir)}\n`);
    console.log(
      `All nodes, the load generator and what they are compared with share this machine. Closed loop: each connection sends\n` +
        `its next request when the last is answered (keep-alive, no pipelining), from a process of its own. Each cell is\n` +
        `measured ${passes} times for ${seconds} s, one cell after the other; the pass in the middle counts, by its rate. Settings are the\n` +
        `defaults. Before the first pass every server gets the load that it is measured with for some seconds, as compilers\n` +
        `and caches take that long.\n`,
    );
    for (const name of names) {
      const started = performance.now();
      await SUITES[name]({ dir: join(dir, name), seconds, passes, scale });
      const took = ((performance.now() - started) / 1000).toFixed(0);
      console.log(`${name}: ${took} s; load average ${loadAverage()}\n`);
    }
  } finally {
    await killAll();
    remove();
  }
}
