import type { AppliedBatch } from '@metad/kv-store';
import type { ProposeOutcome } from '@metad/metad-api';
import type { AppliedVersion } from './applied-version.ts';
import { type PackedBatch, packChange } from './packed-batch.ts';
import type { PackedOutcomes, ToHttp } from './port.ts';

/** Who begins to ask finds so many changes on their way at most, and memory holds no more of them. */
const MAX_HELD_CHANGES = 1024;

/**
 * What the consensus thread sends to the HTTP thread, in order. The batches of a turn and the outcomes that it settles
 * cross as one message once it is over: each message would wake that thread. While nobody asks or waits for anything
 * there, batches are held back for longer. They cross before everything that was sent after they were applied.
 */
export class HttpPort {
  readonly #port: { postMessage(message: ToHttp): void };
  readonly #appliedVersion: Pick<AppliedVersion, 'isWatched'>;
  #changes: (string | number)[] = [];
  #changeCount = 0;
  #last: AppliedBatch | null = null;
  #applied: number[] = [];
  #others: { id: number; outcome: ProposeOutcome }[] = [];
  #isScheduled = false;

  constructor(
    port: { postMessage(message: ToHttp): void },
    appliedVersion: Pick<AppliedVersion, 'isWatched'>,
  ) {
    this.#port = port;
    this.#appliedVersion = appliedVersion;
  }

  post(message: Exclude<ToHttp, { type: 'applied' | 'outcomes' }>): void {
    this.flush();
    this.#port.postMessage(message);
  }

  postBatch(batch: AppliedBatch): void {
    if (batch.stateFile !== undefined) this.flush();
    for (const change of batch.changes) packChange(change, this.#changes);
    this.#changeCount += batch.changes.length;
    this.#last = batch;
    if (batch.stateFile !== undefined || this.#changeCount >= MAX_HELD_CHANGES) this.flush();
    else if (this.#appliedVersion.isWatched) this.#flushAfterTurn();
  }

  postOutcome(id: number, outcome: ProposeOutcome): void {
    if (outcome.type === 'applied' && !outcome.repeated) this.#applied.push(id, outcome.version);
    else this.#others.push({ id, outcome });
    this.#flushAfterTurn();
  }

  /** Sends what is held back. */
  flush(): void {
    const batch = this.#takeBatch();
    const outcomes = this.#takeOutcomes();
    if (outcomes !== null) this.#port.postMessage({ type: 'outcomes', batch, ...outcomes });
    else if (batch !== null) this.#port.postMessage({ type: 'applied', batch });
  }

  /** When all is settled that the turn settles: the promises of promises, too. */
  #flushAfterTurn(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() =>
      process.nextTick(() => {
        this.#isScheduled = false;
        this.flush();
      }),
    );
  }

  #takeBatch(): PackedBatch | null {
    if (this.#last === null) return null;
    const batch = { ...this.#last, changes: this.#changes };
    this.#last = null;
    this.#changes = [];
    this.#changeCount = 0;
    return batch;
  }

  #takeOutcomes(): PackedOutcomes | null {
    const [applied, others] = [this.#applied, this.#others];
    if (applied.length === 0 && others.length === 0) return null;
    this.#applied = [];
    this.#others = [];
    return { applied, others };
  }
}
