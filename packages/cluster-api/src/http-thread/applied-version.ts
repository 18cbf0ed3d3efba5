import { type Version, version } from '@metad/kv-store';

/**
 * The version that this node's state shows, how often a snapshot has replaced its file, and whether anybody on
 * the HTTP ports may wait for changes, in memory that both threads see. A batch takes a moment to cross the port; this says at once
 * that there is a newer state to read, so that nobody is shown less than was confirmed on this node.
 */
export class AppliedVersion {
  /** To be handed to the other thread. */
  readonly buffer: SharedArrayBuffer;
  readonly #cell: BigInt64Array;

  constructor(buffer = new SharedArrayBuffer(3 * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#cell = new BigInt64Array(buffer);
  }

  get(): Version {
    return version(Number(Atomics.load(this.#cell, 0)));
  }

  set(applied: Version): void {
    Atomics.store(this.#cell, 0, BigInt(applied));
  }

  get replacements(): bigint {
    return Atomics.load(this.#cell, 1);
  }

  /** To be called once the batch that says so is on its way. */
  noteReplacement(): void {
    Atomics.add(this.#cell, 1, 1n);
  }

  /** Whether batches are to cross the port as they are applied. */
  get isWatched(): boolean {
    return Atomics.load(this.#cell, 2) === 1n;
  }

  setWatched(isWatched: boolean): void {
    Atomics.store(this.#cell, 2, isWatched ? 1n : 0n);
  }
}
