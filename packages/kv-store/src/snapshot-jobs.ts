import { Worker } from 'node:worker_threads';
import { unreachable } from '@metad/raft-core';
import { syncFile } from './durable-file.ts';
import { buildSnapshot, type SnapshotPlan } from './snapshot-file.ts';
import { type SnapshotManifest, verifySnapshot } from './snapshot-manifest.ts';
import { StoreError, type StoreErrorCode } from './store-error.ts';

/** What takes too long for the consensus thread. */
export type SnapshotJob =
  | { readonly type: 'build'; readonly plan: SnapshotPlan }
  /** Of a file that is on disk. */
  | { readonly type: 'verify'; readonly file: string }
  /** Of a file that was just written. */
  | { readonly type: 'syncAndVerify'; readonly file: string };

/** What the worker sends: errors lose their class on the way. */
export type SnapshotJobResult =
  | { readonly type: 'done'; readonly manifest: SnapshotManifest }
  | { readonly type: 'failed'; readonly code: StoreErrorCode; readonly message: string };

/** Throws a StoreError: `damaged` or `newerFormat` for a snapshot that must not be used, `io`. */
export function carryOut(job: SnapshotJob, rest?: () => void): SnapshotManifest {
  switch (job.type) {
    case 'build':
      return buildSnapshot(job.plan, rest);
    case 'verify':
      return verifySnapshot(job.file);
    case 'syncAndVerify':
      syncFile(job.file);
      return verifySnapshot(job.file);
    default:
      return unreachable(job);
  }
}

/** `carryOut` in a thread that lives as long as the job. Rejects with an AbortError once `signal` is aborted. */
export async function carryOutInWorker(job: SnapshotJob, signal: AbortSignal): Promise<SnapshotManifest> {
  signal.throwIfAborted();
  const worker = new Worker(WORKER_FILE, { workerData: job, execArgv: [] });
  const abort = () => void worker.terminate();
  signal.addEventListener('abort', abort);
  try {
    const result = await new Promise<SnapshotJobResult>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) => {
        reject(signal.aborted ? signal.reason : new Error(`the snapshot thread ended with code ${code}`));
      });
    });
    if (result.type === 'failed') throw new StoreError(result.code, result.message);
    return result.manifest;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Threads run what was built, also where the rest runs from the sources. */
const WORKER_FILE = new URL('../dist/snapshot-worker.js', import.meta.url);
