import { Worker } from 'node:worker_threads';
import { StoreError, type StoreErrorCode } from './store-error.ts';

/** What the thread answers: errors lose their class on the way. */
export type CheckpointResult =
  /** `complete`: all that had been written was moved, and is on disk. */
  | { readonly type: 'done'; readonly complete: boolean }
  | { readonly type: 'failed'; readonly code: StoreErrorCode; readonly message: string };

/** How a checkpoint ended. */
export type CheckpointOutcome =
  | Extract<CheckpointResult, { type: 'done' }>
  | { readonly type: 'failed'; readonly error: unknown };

/**
 * A thread that moves the write-ahead log of one state file. Its syncs take as long as the disk is slow, and the writer
 * must not wait for them.
 */
export class CheckpointThread {
  readonly #worker: Worker;
  readonly #onEnd: (result: CheckpointOutcome) => void;
  #busy = false;

  /** `onEnd` is called after each checkpoint. */
  constructor(file: string, onEnd: (outcome: CheckpointOutcome) => void) {
    this.#onEnd = onEnd;
    this.#worker = new Worker(WORKER_FILE, { workerData: file, execArgv: [] });
    this.#worker.on('message', (result: CheckpointResult) => {
      const { type } = result;
      this.#end(type === 'done' ? result : { type, error: new StoreError(result.code, result.message) });
    });
    this.#worker.on('error', (error) => this.#end({ type: 'failed', error }));
    // It lives as long as the store, and keeps no process from ending.
    this.#worker.unref();
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  run(): void {
    this.#busy = true;
    this.#worker.postMessage('run');
  }

  close(): void {
    void this.#worker.terminate();
  }

  #end(outcome: CheckpointOutcome): void {
    this.#busy = false;
    this.#onEnd(outcome);
  }
}

/** Threads run what was built, also where the rest runs from the sources. */
const WORKER_FILE = new URL('../dist/checkpoint-worker.js', import.meta.url);
