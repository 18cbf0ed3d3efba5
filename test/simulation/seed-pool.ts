import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** What the worker threads are given when they start. */
export interface WorkerTask {
  /** The URL of the simulator to load. */
  readonly engine: string;
  readonly store: 'memory' | 'files';
  /** How long the faults of each run last; null: as its seed says. */
  readonly ticks: number | null;
}

export interface SeedResult {
  readonly seed: number;
  readonly failure: { readonly invariant: string; readonly message: string } | null;
  readonly counts: Readonly<Record<string, number>>;
  readonly nodeTicks: number;
}

/** A run that takes longer than this stands in an endless loop; most take less than a tenth of a second. */
const MAX_SEED_MS = 120_000;

/** Where the simulator of this checkout is. */
export const ENGINE = import.meta.resolve('@metad/raft-core/simulation');

/**
 * Runs seeds on all cores. `next` is asked for each seed and ends the run with null; results come in any order. A seed
 * that never ends counts as failed.
 */
export async function runSeeds(
  task: WorkerTask,
  next: () => number | null,
  onResult: (result: SeedResult) => void,
): Promise<void> {
  await Promise.all(Array.from({ length: availableParallelism() }, () => runWorker(task, next, onResult)));
}

async function runWorker(
  task: WorkerTask,
  next: () => number | null,
  onResult: (result: SeedResult) => void,
): Promise<void> {
  for (;;) {
    const stuck = await runUntilStuck(task, next, onResult);
    if (stuck === null) return;
    onResult(stuck);
  }
}

/** Null when there are no more seeds; otherwise the seed that did not end, whose thread has been stopped. */
async function runUntilStuck(
  task: WorkerTask,
  next: () => number | null,
  onResult: (result: SeedResult) => void,
): Promise<SeedResult | null> {
  const worker = new Worker(new URL('./seed-worker.js', import.meta.url), { workerData: task });
  try {
    for (let seed = next(); seed !== null; seed = next()) {
      const result = await runSeed(worker, seed);
      if (result === null) return stuckAt(seed);
      onResult(result);
    }
    return null;
  } finally {
    await worker.terminate();
  }
}

function runSeed(worker: Worker, seed: number): Promise<SeedResult | null> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(() => resolve(null)), MAX_SEED_MS);
    const onMessage = (result: SeedResult) => settle(() => resolve(result));
    const onError = (error: Error) => settle(() => reject(new Error(`seed ${seed}`, { cause: error })));
    const settle = (how: () => void) => {
      clearTimeout(timer);
      worker.off('message', onMessage);
      worker.off('error', onError);
      how();
    };
    worker.on('message', onMessage);
    worker.on('error', onError);
    worker.postMessage(seed);
  });
}

function stuckAt(seed: number): SeedResult {
  const failure = { invariant: 'progress', message: `no end after ${MAX_SEED_MS / 1000} s: an endless loop` };
  return { seed, failure, counts: {}, nodeTicks: 0 };
}
