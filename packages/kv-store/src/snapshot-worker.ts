import { parentPort, workerData } from 'node:worker_threads';
import { restHalfTheTime } from './rests.ts';
import { carryOut, type SnapshotJob, type SnapshotJobResult } from './snapshot-jobs.ts';
import { StoreError } from './store-error.ts';

/** One job in a thread of its own, with its own connection to the state. Anything but a StoreError ends the thread. */
function run(job: SnapshotJob): SnapshotJobResult {
  try {
    return { type: 'done', manifest: carryOut(job, restHalfTheTime()) };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { type: 'failed', code: error.code, message: error.message };
  }
}

parentPort?.postMessage(run(workerData));
