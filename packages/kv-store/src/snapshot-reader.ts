import { closeSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { assert } from '@metad/raft-core';
import type { SnapshotManifest } from './snapshot-manifest.ts';
import { namingFile, namingFileAsync } from './store-error.ts';

/** A part of a snapshot that is read or received at once. */
export const MAX_CHUNK_BYTES = 1024 * 1024;

/** The bytes of a verified snapshot, for sending. The file stays until this is closed, whatever replaces it. */
export class SnapshotReader {
  readonly manifest: SnapshotManifest;
  readonly #file: string;
  readonly #release: () => void;
  #handle: Promise<FileHandle> | null = null;
  #closed = false;

  constructor(file: string, manifest: SnapshotManifest, release: () => void) {
    this.#file = file;
    this.manifest = manifest;
    this.#release = release;
  }

  /** The bytes from `offset` on: up to `maxBytes` of them, none at the end. Several may be read at once. */
  read(offset: number, maxBytes: number): Promise<Uint8Array> {
    const length = this.#length(offset, maxBytes);
    return namingFileAsync(this.#file, async () => {
      this.#handle ??= open(this.#file, 'r');
      const handle = await this.#handle;
      // What is not read into is not given away.
      const chunk = Buffer.allocUnsafeSlow(length);
      const { bytesRead } = await handle.read(chunk, 0, length, offset);
      return chunk.subarray(0, bytesRead);
    });
  }

  readSync(offset: number, maxBytes: number): Uint8Array {
    const length = this.#length(offset, maxBytes);
    return namingFile(this.#file, () => {
      const handle = openSync(this.#file, 'r');
      try {
        const chunk = Buffer.alloc(length);
        return chunk.subarray(0, readSync(handle, chunk, 0, length, offset));
      } finally {
        closeSync(handle);
      }
    });
  }

  /** No read may be under way. */
  async close(): Promise<void> {
    const opened = this.#handle;
    this.closeSync();
    // One that could not be opened was reported by the read.
    const [opening] = await Promise.allSettled([opened]);
    if (opening.status === 'fulfilled') await opening.value?.close();
  }

  closeSync(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }

  #length(offset: number, maxBytes: number): number {
    assert(!this.#closed, 'a snapshot is read only while it is open');
    assert(maxBytes > 0 && maxBytes <= MAX_CHUNK_BYTES, () => `a chunk of ${maxBytes} bytes`);
    return Math.max(Math.min(maxBytes, this.manifest.bytes - offset), 0);
  }
}
