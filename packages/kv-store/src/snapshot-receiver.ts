import { closeSync, openSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { assert, type SnapshotMeta } from '@metad/raft-core';
import { awaitedLater } from './awaited-later.ts';
import { removeDatabase } from './durable-file.ts';
import { carryOut, carryOutInWorker, type SnapshotJob } from './snapshot-jobs.ts';
import type { SnapshotManifest } from './snapshot-manifest.ts';
import { MAX_CHUNK_BYTES } from './snapshot-reader.ts';
import { namingFile, namingFileAsync, StoreError } from './store-error.ts';

/** What a sender announces. Two offers with one checksum are of the same bytes. */
export interface SnapshotOffer {
  readonly meta: SnapshotMeta;
  readonly bytes: number;
  /** Hex; the manifest's. */
  readonly checksum: string;
}

export type ChunkOutcome =
  /** Written; `offset` is where the next one begins. */
  | { readonly type: 'written'; readonly offset: number }
  /** Not what is needed next: go on from `offset`. */
  | { readonly type: 'misplaced'; readonly offset: number };

export type ReceiveOutcome =
  /** Verified and on disk: `Store.write` can install it. */
  | { readonly type: 'complete'; readonly manifest: SnapshotManifest }
  /** Bytes are missing: go on from `offset`. */
  | { readonly type: 'incomplete'; readonly offset: number }
  /** Not what was announced, damaged on the way, or of a newer release. What came was dropped. */
  | { readonly type: 'refused'; readonly message: string };

export interface ReceiverOptions {
  readonly offer: SnapshotOffer;
  /** Ends a verification that is under way. */
  readonly signal: AbortSignal;
  readonly onComplete: (manifest: SnapshotManifest) => void;
}

/**
 * How much may be written before it is put on disk: all of it at the end would take long, and hold up whatever else is
 * synced on that disk meanwhile.
 */
const maxUnsyncedBytes = 8 * 1024 * 1024;

/** Takes the bytes of one snapshot into a file, in order, one call at a time: the caller waits for each to end. */
export class SnapshotReceiver {
  readonly file: string;
  readonly #options: ReceiverOptions;
  #offset = 0;
  #handle: FileHandle | null = null;
  #unsyncedBytes = 0;
  /** Goes on beside the writes until so much more has come. */
  #syncing: Promise<void> = Promise.resolve();
  #state: 'open' | 'complete' | 'ended' = 'open';

  constructor(file: string, options: ReceiverOptions) {
    this.file = file;
    this.#options = options;
    removeDatabase(file);
  }

  get offer(): SnapshotOffer {
    return this.#options.offer;
  }

  /** Whether all of it is here and verified. */
  get isComplete(): boolean {
    return this.#state === 'complete';
  }

  /** Whether what came was dropped: nothing can be done with this receiver any more. */
  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  /** How much is here: where the next chunk begins. */
  get offset(): number {
    return this.#offset;
  }

  async write(offset: number, chunk: Uint8Array): Promise<ChunkOutcome> {
    if (!this.#expects(offset, chunk)) return { type: 'misplaced', offset: this.#offset };
    await namingFileAsync(this.file, async () => {
      this.#handle ??= await open(this.file, offset === 0 ? 'w' : 'r+');
      const { bytesWritten } = await this.#handle.write(chunk, 0, chunk.byteLength, offset);
      this.#checkWhole(bytesWritten, chunk);
      await this.#syncGradually(this.#handle, chunk.byteLength);
    });
    return this.#advance(chunk);
  }

  writeSync(offset: number, chunk: Uint8Array): ChunkOutcome {
    if (!this.#expects(offset, chunk)) return { type: 'misplaced', offset: this.#offset };
    namingFile(this.file, () => {
      const handle = openSync(this.file, offset === 0 ? 'w' : 'r+');
      try {
        this.#checkWhole(writeSync(handle, chunk, 0, chunk.byteLength, offset), chunk);
      } finally {
        closeSync(handle);
      }
    });
    return this.#advance(chunk);
  }

  /** Syncs and verifies what came. */
  async finish(): Promise<ReceiveOutcome> {
    await this.#closeHandle();
    await namingFileAsync(this.file, () => this.#syncing);
    if (this.#offset < this.offer.bytes) return { type: 'incomplete', offset: this.#offset };
    try {
      return this.#judge(await carryOutInWorker(this.#verification(), this.#options.signal));
    } catch (error) {
      return this.#refuseIfBad(error);
    }
  }

  finishSync(): ReceiveOutcome {
    if (this.#offset < this.offer.bytes) return { type: 'incomplete', offset: this.#offset };
    try {
      return this.#judge(carryOut(this.#verification()));
    } catch (error) {
      return this.#refuseIfBad(error);
    }
  }

  /** Drops what came. No call may be under way. */
  async abandon(): Promise<void> {
    this.#state = 'ended';
    await this.#closeHandle();
    removeDatabase(this.file);
  }

  abandonSync(): void {
    this.#state = 'ended';
    removeDatabase(this.file);
  }

  #expects(offset: number, chunk: Uint8Array): boolean {
    assert(this.#state !== 'ended', 'a receiver that has ended takes no more');
    assert(chunk.byteLength <= MAX_CHUNK_BYTES, () => `a chunk of ${chunk.byteLength} bytes`);
    return offset === this.#offset && offset + chunk.byteLength <= this.offer.bytes;
  }

  async #syncGradually(handle: FileHandle, written: number): Promise<void> {
    this.#unsyncedBytes += written;
    if (this.#unsyncedBytes < maxUnsyncedBytes) return;
    await this.#syncing;
    this.#unsyncedBytes = 0;
    this.#syncing = awaitedLater(handle.datasync());
  }

  /** A disk that is nearly full takes a part of a write and reports the error with the next one. */
  #checkWhole(written: number, chunk: Uint8Array): void {
    if (written === chunk.byteLength) return;
    throw new StoreError('io', `${this.file}: only ${written} of ${chunk.byteLength} bytes could be written`);
  }

  #advance(chunk: Uint8Array): ChunkOutcome {
    this.#offset += chunk.byteLength;
    return { type: 'written', offset: this.#offset };
  }

  #verification(): SnapshotJob {
    return { type: 'syncAndVerify', file: this.file };
  }

  #judge(manifest: SnapshotManifest): ReceiveOutcome {
    const { meta, bytes, checksum } = this.offer;
    const same = manifest.checksum === checksum && manifest.bytes === bytes;
    if (!same || !isDeepStrictEqual(manifest.meta, meta)) {
      return this.#refuse(
        `the snapshot that came is not the one at entry ${meta.last.index} that was announced`,
      );
    }
    this.#state = 'complete';
    this.#options.onComplete(manifest);
    return { type: 'complete', manifest };
  }

  #refuseIfBad(error: unknown): ReceiveOutcome {
    if (error instanceof StoreError && (error.code === 'damaged' || error.code === 'newerFormat')) {
      return this.#refuse(error.message);
    }
    throw error;
  }

  #refuse(message: string): ReceiveOutcome {
    this.#state = 'ended';
    removeDatabase(this.file);
    return { type: 'refused', message };
  }

  async #closeHandle(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    // `finish` tells of an error; what is dropped needs none.
    await Promise.allSettled([this.#syncing]);
    await handle?.close();
  }
}
