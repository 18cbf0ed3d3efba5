import { awaitedLater, type SnapshotReader } from '@metad/kv-store';
import type { SnapshotLimits } from './limits.ts';

/**
 * Reads a snapshot chunk by chunk, and a few chunks ahead. On a busy node a read ends a whole turn of the event loop
 * after it was asked for; waiting for one after the other would send no more than a chunk in a turn.
 */
export class ReadAhead {
  readonly #reader: Pick<SnapshotReader, 'read'>;
  readonly #limits: Pick<SnapshotLimits, 'chunkBytes' | 'chunksAhead'>;
  /** In order, without gaps. */
  readonly #reads: { readonly offset: number; readonly bytes: Promise<Uint8Array> }[] = [];

  constructor(
    reader: Pick<SnapshotReader, 'read'>,
    limits: Pick<SnapshotLimits, 'chunkBytes' | 'chunksAhead'>,
  ) {
    this.#reader = reader;
    this.#limits = limits;
  }

  /** The chunk at `offset`, which is best where the last one ended. Empty at the end. */
  async next(offset: number): Promise<Uint8Array> {
    if (this.#reads[0]?.offset !== offset) {
      await this.end();
      this.#read(offset);
    }
    while (this.#reads.length <= this.#limits.chunksAhead) {
      this.#read((this.#reads.at(-1)?.offset ?? 0) + this.#limits.chunkBytes);
    }
    return (await this.#reads.shift()?.bytes) ?? new Uint8Array();
  }

  /** Resolves once nothing is read any more. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#reads.splice(0).map(({ bytes }) => bytes));
  }

  #read(offset: number): void {
    const bytes = awaitedLater(this.#reader.read(offset, this.#limits.chunkBytes));
    this.#reads.push({ offset, bytes });
  }
}
