import { parentPort, workerData } from 'node:worker_threads';
import type { simulate } from '@metad/raft-core/simulation';
import { openFileStore } from './file-store.ts';
import type { SeedResult, WorkerTask } from './seed-pool.ts';

/** Runs the seeds that the pool sends, one message each, with the engine that the task names: the real one, or a mutant. */
const { engine, store, ticks } = workerData as WorkerTask; // given by seed-pool.ts, the only one to start this file
const simulation = (await import(engine)) as { readonly simulate: typeof simulate };

parentPort?.on('message', (seed: number) => {
  const { failure, coverage, nodeTicks } = simulation.simulate({
    seed,
    ...(store === 'files' ? { store: openFileStore } : {}),
    ...(ticks === null ? {} : { profile: { ticks } }),
  });
  const result: SeedResult = { seed, failure, counts: coverage.counts(), nodeTicks };
  parentPort?.postMessage(result);
});
