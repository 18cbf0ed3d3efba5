import type { Store } from '@metad/kv-store';
import { type LogIndex, logIndex, type RaftStatus } from '@metad/raft-core';
import type { Logger } from 'pino';
import type { SnapshotSettings } from '../config/node-config.ts';

export interface LogUpkeepOptions {
  readonly store: Store;
  readonly settings: SnapshotSettings;
  readonly status: () => RaftStatus;
  /** Behind which entry the log must stay for the snapshots that are being sent. */
  readonly neededForSnapshots: () => LogIndex | null;
  /** Lets the log begin behind that entry, which the state has durably, or behind a little less. */
  readonly compact: (upTo: LogIndex) => Promise<void>;
  readonly onFault: (error: unknown) => void;
  readonly logger: Logger;
}

/** Peers that are active are waited for until the log is so many times longer than it should be. */
const PATIENCE = 8;

/** Between two slices of the removal of what is compacted: the rest of the node comes first. */
const PURGE_PAUSE_MS = 5;

/** With nothing to write, the write-ahead log is moved once it is that long, so that no write has to do it. */
const QUIET_WAL_PAGES = 250;

/**
 * Keeps the log short: once it is longer than the settings allow, what the state has durably is dropped from it, in small
 * steps between other work, except for a tail for those who are a little behind.
 */
export class LogUpkeep {
  readonly #options: LogUpkeepOptions;
  #isCompacting = false;
  #isPurging = false;
  #lastSeen = 0;
  #stopped = false;

  constructor(options: LogUpkeepOptions) {
    this.#options = options;
  }

  start(): void {
    // What the last process compacted and could not remove any more.
    void this.#purge();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Called with each tick. */
  tick(): void {
    if (this.#stopped) return;
    const { store } = this.#options;
    this.#carryOut(() => {
      const { index } = store.log.lastLog;
      if (index === this.#lastSeen) store.log.checkpointBeyond(QUIET_WAL_PAGES);
      this.#lastSeen = index;
      const { entries, bytes } = store.log.size();
      const { logEntries, logBytes } = this.#options.settings;
      if (entries > logEntries || bytes > logBytes) void this.compact();
    });
  }

  /** Compacts as far as may be; resolves once that is done. Nothing while it is being done. */
  async compact(): Promise<void> {
    if (this.#isCompacting || this.#stopped) return;
    const target = this.#target();
    if (target === null) return;
    this.#isCompacting = true;
    const { store, compact, logger } = this.#options;
    const { state } = store;
    try {
      await state.makeDurableAsync();
      if (this.#stopped || store.state !== state) return;
      const before = store.log.compacted.index;
      await compact(target);
      if (this.#stopped || store.state !== state) return;
      logger.info(
        { upTo: store.log.compacted.index, entries: store.log.compacted.index - before },
        'compacted the log',
      );
      void this.#purge();
    } catch (error) {
      // A snapshot has replaced the state, and its file is gone.
      if (!this.#stopped && store.state === state) this.#options.onFault(error);
    } finally {
      this.#isCompacting = false;
    }
  }

  /** Up to where the log can go; null when hardly any of it can. */
  #target(): LogIndex | null {
    const { store, settings, neededForSnapshots, status } = this.#options;
    const { logEntries, logBytes, keepEntries } = settings;
    const { entries, bytes } = store.log.size();
    if (entries === 0) return null;
    const keep = Math.min(keepEntries, Math.floor((logBytes / 2) * (entries / bytes)));
    const tail = store.state.applied.index - keep;
    const isTooLong = entries > PATIENCE * logEntries || bytes > PATIENCE * logBytes;
    const target = isTooLong ? tail : Math.min(tail, neededForSnapshots() ?? tail, neededByPeers(status()));
    // Each time costs a sync: a few entries are not worth it.
    return target - store.log.compacted.index > entries / 8 ? logIndex(target) : null;
  }

  async #purge(): Promise<void> {
    if (this.#isPurging) return;
    this.#isPurging = true;
    while (!this.#stopped && this.#carryOut(() => this.#options.store.log.purge())) {
      await new Promise((resolve) => setTimeout(resolve, PURGE_PAUSE_MS));
    }
    this.#isPurging = false;
  }

  #carryOut<T>(action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      this.#options.onFault(error);
      return undefined;
    }
  }
}

/** A leader's active peers catch up from its log; one that gets a snapshot is counted with that. */
function neededByPeers({ peers }: RaftStatus): number {
  const fed = [...peers.values()].filter(
    ({ recentlyActive, state }) => recentlyActive && state !== 'snapshot',
  );
  return Math.min(...fed.map(({ matched }) => matched));
}
