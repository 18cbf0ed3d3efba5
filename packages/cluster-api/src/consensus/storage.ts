import type { AppliedBatch, AppliedEntries, Store, WriteResult } from '@metad/kv-store';
import type { Entry, Ready } from '@metad/raft-core';
import { partsUpToMarks } from './digest-check.ts';
import type { ConsensusMetrics } from './metrics.ts';

/** Does with the store what a Ready asks for, measures it, and tells the readers of this node what changed. */
export class Storage {
  readonly #store: Store;
  readonly #metrics: ConsensusMetrics;
  #writingSince = 0;
  readonly #listeners = new Set<(batch: AppliedBatch) => void>();

  constructor(store: Store, metrics: ConsensusMetrics) {
    this.#store = store;
    this.#metrics = metrics;
  }

  /** Calls `listener` with each applied batch, in log order, once the state shows it. */
  onApplied(listener: (batch: AppliedBatch) => void): void {
    this.#listeners.add(listener);
  }

  /** On disk once a `sync` after it has ended; a snapshot, which is returned, is installed when it returns. */
  write(ready: Ready): AppliedBatch | null {
    if (ready.mustSync) {
      this.#writingSince = performance.now();
      this.#metrics.batchEntries.observe(ready.entries.length);
    }
    const installed = this.#store.write(ready);
    if (installed !== null) this.#tell(installed);
    return installed;
  }

  /** Resolves when the last `write` is on disk; rejects with a StoreError. */
  async sync(): Promise<void> {
    const since = this.#writingSince;
    await this.#store.log.sync();
    this.#metrics.logSyncSeconds.observe((performance.now() - since) / 1000);
  }

  /** In one transaction, or in several, so that one ends at each index where nodes compare their digests. */
  apply(entries: readonly Entry[]): readonly WriteResult[] {
    return [...partsUpToMarks(entries)].flatMap((part) => this.#applyPart(part).results);
  }

  #applyPart(entries: readonly Entry[]): AppliedEntries {
    const started = performance.now();
    const applied = this.#store.state.apply(entries);
    this.#metrics.applySeconds.observe((performance.now() - started) / 1000);
    this.#tell(applied.batch);
    return applied;
  }

  #tell(batch: AppliedBatch): void {
    for (const listener of this.#listeners) listener(batch);
  }
}
