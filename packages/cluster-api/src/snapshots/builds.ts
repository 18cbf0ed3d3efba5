import type { SnapshotManifest, SnapshotReader, Store } from '@metad/kv-store';
import type { LogIndex } from '@metad/raft-core';
import type { Logger } from 'pino';
import type { ConsensusMetrics } from '../consensus/metrics.ts';
import { reasonOf } from '../reason.ts';

export interface SnapshotBuildsOptions {
  readonly store: Pick<Store, 'snapshots' | 'takeSnapshot'>;
  /** Called after each attempt: while a state is being copied, its file stays. */
  readonly onEnd: () => void;
  readonly logger: Logger;
  readonly metrics: ConsensusMetrics;
}

/** A damaged file is removed and taken again; more than that is no accident. */
const MAX_ATTEMPTS = 4;

/** Takes snapshots, one at a time, and shares each with all who can use it. */
export class SnapshotBuilds {
  readonly #options: SnapshotBuildsOptions;
  #building: Promise<SnapshotManifest> | null = null;
  #stopped = false;

  constructor(options: SnapshotBuildsOptions) {
    this.#options = options;
  }

  /**
   * Opens a verified snapshot that holds entry `atLeast`, which must be applied: the newest one if it does, else one
   * that is taken for it. The caller closes it. Rejects with a StoreError, or an AbortError when the node stops.
   */
  async open(atLeast: LogIndex): Promise<SnapshotReader> {
    const { snapshots } = this.#options.store;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const { newest } = snapshots;
      if (newest === null || newest.last.index < atLeast) {
        await this.#build();
        continue;
      }
      const reader = await snapshots.openNewest();
      if (reader !== null && reader.manifest.meta.last.index >= atLeast) return reader;
      if (reader === null)
        this.#options.logger.warn({ file: newest.file }, 'removed a snapshot that was damaged');
      await reader?.close();
    }
    throw new Error(`no snapshot could be taken that holds entry ${atLeast}`);
  }

  /** A peer has refused what was opened: it is verified again before it is opened again. */
  doubt(): void {
    this.#options.store.snapshots.doubt();
  }

  /** What `open` would open says of itself. */
  async take(atLeast: LogIndex): Promise<SnapshotManifest> {
    const reader = await this.open(atLeast);
    await reader.close();
    return reader.manifest;
  }

  stop(): void {
    this.#stopped = true;
  }

  #build(): Promise<SnapshotManifest> {
    this.#building ??= this.#buildOne().finally(() => {
      this.#building = null;
      this.#options.onEnd();
    });
    return this.#building;
  }

  async #buildOne(): Promise<SnapshotManifest> {
    const { store, logger, metrics } = this.#options;
    const started = performance.now();
    logger.info('takes a snapshot');
    try {
      const manifest = await store.takeSnapshot();
      const ms = Math.round(performance.now() - started);
      const { bytes, version, meta } = manifest;
      metrics.snapshots.inc({ event: 'taken' });
      metrics.snapshotSeconds.observe(ms / 1000);
      metrics.snapshotBytes.set(bytes);
      logger.info({ index: meta.last.index, version, bytes, ms }, 'took a snapshot');
      return manifest;
    } catch (error) {
      if (this.#stopped) throw error;
      metrics.snapshots.inc({ event: 'failed' });
      logger.error({ reason: reasonOf(error) }, 'could not take a snapshot');
      throw error;
    }
  }
}
