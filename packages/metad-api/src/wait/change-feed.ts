import type { AppliedBatch, Change, StateView, Version } from '@metad/kv-store';
import type { Replica } from '../replica.ts';
import { ChangeWindow, type NamedChange, type WindowLimits } from './change-window.ts';
import type { LatestChanges } from './latest-changes.ts';

/**
 * The one subscription to the replica's changes, and what this process knows of the state's version.
 *
 * A read may be ahead of what has been delivered here: `version` is the newest that anyone saw, `deliveredVersion` the
 * newest up to which every change was delivered.
 */
export class ChangeFeed {
  readonly #replica: Replica;
  readonly #window: ChangeWindow;
  readonly #listeners: ((changes: readonly Change[]) => void)[] = [];
  readonly #unsubscribe: () => void;
  #delivered: Version;
  #version: Version;
  #isLive = true;

  constructor(replica: Replica, limits: WindowLimits) {
    this.#replica = replica;
    // Subscribed before the version is read, so that no change falls between the two.
    const early: AppliedBatch[] = [];
    let deliver = (batch: AppliedBatch): void => void early.push(batch);
    this.#unsubscribe = replica.subscribe((batch) => deliver(batch));
    this.#version = this.#delivered = replica.state.read((view) => view.version());
    this.#window = new ChangeWindow(this.#version, limits);
    deliver = (batch) => this.#deliver(batch);
    for (const batch of early) this.#deliver(batch);
  }

  /** The newest version that the state is known to show. Never decreases. */
  get version(): Version {
    this.noteVersion(this.#replica.version());
    return this.#version;
  }

  get deliveredVersion(): Version {
    return this.#delivered;
  }

  /** Whether changes are still being delivered. */
  get isLive(): boolean {
    return this.#isLive;
  }

  /** Listeners are called in the order in which they were added, once for each batch that changed something. */
  listen(listener: (changes: readonly Change[]) => void): void {
    this.#listeners.push(listener);
  }

  /** One read transaction; its version becomes known. */
  read<T>(look: (view: StateView, version: Version) => T): T {
    return this.#replica.state.read((view) => {
      const version = view.version();
      this.noteVersion(version);
      return look(view, version);
    });
  }

  noteVersion(version: Version): void {
    if (version > this.#version) this.#version = version;
  }

  /** Whether it is known of every change after `since`, up to the delivered version, what it concerned. */
  covers(since: Version): boolean {
    return this.#window.covers(since);
  }

  someChangeAfter(since: Version, matches: (change: NamedChange) => boolean): boolean {
    return this.#window.some(since, matches);
  }

  /** Answers in a step whether anything changed there; meaningful where `covers` holds. */
  get latest(): LatestChanges {
    return this.#window.latest;
  }

  stop(): void {
    this.#isLive = false;
    this.#unsubscribe();
  }

  #deliver(batch: AppliedBatch): void {
    for (const change of batch.changes) this.#window.push(change);
    if (batch.version > this.#delivered) this.#delivered = batch.version;
    this.noteVersion(batch.version);
    if (batch.changes.length === 0) return;
    for (const listener of this.#listeners) listener(batch.changes);
  }
}
