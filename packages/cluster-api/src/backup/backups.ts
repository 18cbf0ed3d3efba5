import { rmSync, statfsSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type SnapshotManifest, type Store, StoreError } from '@metad/kv-store';
import { streamFile } from './stream-file.ts';

export interface OpenBackup {
  readonly manifest: SnapshotManifest;
  /** As fast as the reader takes it; it must be read to its end or cancelled. */
  readonly body: ReadableStream<Uint8Array>;
}

export type BackupOutcome =
  | { readonly type: 'open'; readonly backup: OpenBackup }
  /** Another backup is being written or read. */
  | { readonly type: 'busy' }
  /** This node has applied nothing: it belongs to no cluster yet, or has only been added. */
  | { readonly type: 'empty' }
  /** The copy would take the room that the node itself needs. */
  | { readonly type: 'noRoom'; readonly message: string }
  /** The asker has gone, or the node stops. */
  | { readonly type: 'calledOff'; readonly message: string }
  | { readonly type: 'failed'; readonly message: string };

type BackupSource = Pick<Store, 'writeBackup'> & {
  readonly state: Pick<Store['state'], 'applied' | 'bytes'>;
};

/** What must stay free on the node's disk beside the copy: a node that can't write its log stops. */
const RESERVED_BYTES = 64 * 1024 * 1024;

/**
 * Backups of a running node, one at a time: a thread of its own copies the state beside the data, and the copy is gone
 * from the directory before it is read, so that no crash leaves it there.
 */
export class Backups {
  readonly #store: BackupSource;
  readonly #dataDir: string;
  readonly #file: string;
  readonly #closing = new AbortController();
  #isBusy = false;

  /** Removes what a process that was killed has left. */
  constructor(store: BackupSource, dataDir: string) {
    this.#store = store;
    this.#dataDir = dataDir;
    this.#file = join(dataDir, 'backup.part');
    rmSync(this.#file, { force: true });
  }

  /** Copies what this node has applied, unless `signal` is aborted first. */
  async open(signal: AbortSignal): Promise<BackupOutcome> {
    if (this.#isBusy) return { type: 'busy' };
    if (this.#store.state.applied.index === 0) return { type: 'empty' };
    const lacking = this.#lackingRoom();
    if (lacking !== null) return { type: 'noRoom', message: lacking };
    this.#isBusy = true;
    let isHandedOver = false;
    const either = AbortSignal.any([signal, this.#closing.signal]);
    try {
      const manifest = await this.#store.writeBackup(this.#file, either);
      const handle = await this.#takeFile();
      isHandedOver = true;
      return { type: 'open', backup: { manifest, body: this.#stream(handle) } };
    } catch (error) {
      if (either.aborted)
        return { type: 'calledOff', message: 'the backup was called off: ask another node' };
      if (!(error instanceof StoreError)) throw error;
      return { type: 'failed', message: error.message };
    } finally {
      if (!isHandedOver) {
        await rm(this.#file, { force: true });
        this.#isBusy = false;
      }
    }
  }

  /** Ends the backup that is being written. One that is being read ends with its connection. */
  stop(): void {
    this.#closing.abort(new Error('this node is stopping'));
  }

  /** The file lives on until it is closed. */
  async #takeFile(): Promise<FileHandle> {
    const handle = await open(this.#file, 'r');
    await rm(this.#file);
    return handle;
  }

  #stream(handle: FileHandle): ReadableStream<Uint8Array> {
    return streamFile(handle, () => {
      this.#isBusy = false;
    });
  }

  #lackingRoom(): string | null {
    const { bavail, bsize } = statfsSync(this.#dataDir);
    const freeBytes = bavail * bsize;
    const neededBytes = this.#store.state.bytes + RESERVED_BYTES;
    if (freeBytes >= neededBytes) return null;
    return `a backup needs ${neededBytes} bytes on this node's disk, and ${freeBytes} are free: make room, or ask another node`;
  }
}
