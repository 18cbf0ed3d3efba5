// node packages/raft-core/bench/bench.mjs      (after npm run build)
//
// Measures the engine alone: whole clusters in one thread, in memory, with a driver and a network that cost next to
// nothing. Each figure stands beside the same entries passed through plain arrays in the same run: compare the ratios.

import { execFile } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { printTable } from './table.mjs';

const MEASURE = fileURLToPath(new URL('measure.mjs', import.meta.url));
const FLAGS = {
  speed: [],
  // Room for a whole sample, so that nothing is collected while allocations are counted.
  allocation: ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'],
};

/** Each in a process of its own: the room that makes allocations countable would flatter the speed. */
async function measure(what) {
  const { stdout } = await promisify(execFile)(process.execPath, [...FLAGS[what], MEASURE, what]);
  return JSON.parse(stdout);
}

const [cpu] = os.cpus();
console.log(
  `${os.cpus().length} × ${cpu?.model ?? 'unknown'}, Node ${process.versions.node}; load average ${os.loadavg()[0].toFixed(1)}\n` +
    `The bare engine, all nodes of a cluster in one thread, nothing on disk. Commands of 100 bytes; batch: how many come\n` +
    `in one turn of the driver, which all nodes then follow to its end. Bytes: of heap, garbage included. Bare: the same\n` +
    `entries put into plain arrays, one per node.\n`,
);
const speed = await measure('speed');
const allocation = await measure('allocation');
printTable(speed.map((cell, i) => ({ ...cell, ...allocation[i] })));
