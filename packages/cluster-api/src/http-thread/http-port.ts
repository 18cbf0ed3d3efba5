import type { AppliedBatch, Change } from '@metad/kv-store';
import type { AppliedVersion } from './applied-version.ts';
import type { ToHttp } from './port.ts';

/** Who begins to ask finds so many changes on their way at most, and memory holds no more of them. */
const MAX_HELD_CHANGES = 1024;

/**
 * What the consensus thread sends to the HTTP thread, in order. While nobody asks or waits for anything there, batches
 * are held back and cross as one: each of them would wake that thread, which costs a tenth of a lone write. They cross
 * before everything that was sent after they were applied.
 */
export class HttpPort {
  readonly #port: { postMessage(message: ToHttp): void };
  readonly #appliedVersion: Pick<AppliedVersion, 'isWatched'>;
  #changes: Change[] = [];
  #last: AppliedBatch | null = null;

  constructor(
    port: { postMessage(message: ToHttp): void },
    appliedVersion: Pick<AppliedVersion, 'isWatched'>,
  ) {
    this.#port = port;
    this.#appliedVersion = appliedVersion;
  }

  post(message: ToHttp): void {
    this.flush();
    this.#port.postMessage(message);
  }

  postBatch(batch: AppliedBatch): void {
    if (batch.stateFile !== undefined) {
      this.post({ type: 'applied', batch });
      return;
    }
    for (const change of batch.changes) this.#changes.push(change);
    this.#last = batch;
    if (this.#appliedVersion.isWatched || this.#changes.length >= MAX_HELD_CHANGES) this.flush();
  }

  /** Sends what is held back. */
  flush(): void {
    if (this.#last === null) return;
    const { applied, version } = this.#last;
    const batch = { applied, version, changes: this.#changes };
    this.#changes = [];
    this.#last = null;
    this.#port.postMessage({ type: 'applied', batch });
  }
}
