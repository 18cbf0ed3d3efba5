import { parentPort, workerData } from 'node:worker_threads';
import { loadEngine } from './play-seed.ts';
import type { SeedResult, WorkerTask } from './seed-pool.ts';

/** Runs the seeds that the pool sends, one message each. */
const play = await loadEngine(workerData as WorkerTask); // given by seed-pool.ts, the only one to start this file

parentPort?.on('message', (seed: number) => {
  const { failure, coverage, nodeTicks } = play(seed, false);
  const result: SeedResult = { seed, failure, counts: coverage.counts(), nodeTicks };
  parentPort?.postMessage(result);
});
