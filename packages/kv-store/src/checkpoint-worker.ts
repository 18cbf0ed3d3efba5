import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { Checkpoints } from './checkpoint.ts';
import type { CheckpointResult } from './checkpoint-thread.ts';
import { namingFile, StoreError } from './store-error.ts';

/** Moves the write-ahead log of one state file whenever it is told to, through a connection of its own. */
function open(file: string): Checkpoints {
  return namingFile(file, () => {
    const db = new Database(file, { fileMustExist: true, timeout: 5000 });
    // Nothing is written here but by checkpoints, and those are synced as the writer's are.
    db.pragma('synchronous = NORMAL');
    return new Checkpoints(db);
  });
}

function run(file: string, checkpoints: Checkpoints): CheckpointResult {
  try {
    return { type: 'done', complete: namingFile(file, () => checkpoints.runToEnd(MAX_ROUNDS)) };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { type: 'failed', code: error.code, message: error.message };
  }
}

/** The writer goes on meanwhile, so there may always be a little more. */
const MAX_ROUNDS = 3;

const file: string = workerData;
const checkpoints = open(file);
parentPort?.on('message', () => parentPort?.postMessage(run(file, checkpoints)));
