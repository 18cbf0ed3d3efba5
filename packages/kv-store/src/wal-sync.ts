import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncDirectory } from './durable-file.ts';
import { namingFile, namingFileAsync } from './store-error.ts';

/**
 * Puts on disk what SQLite has committed to a database's write-ahead log: one sync covers all transactions before it.
 * SQLite's own sync is part of the commit, and would hold up the thread for as long as the disk takes. A write-ahead log
 * carries no locks that closing it could drop.
 */
export class WalSync {
  readonly #file: string;
  #handle: number | null = null;
  #running = 0;
  #closed = false;

  /** `database`: its main file, which SQLite has open. */
  constructor(database: string) {
    this.#file = `${database}-wal`;
  }

  /** Whether the disk is at it, beside this thread. */
  get isRunning(): boolean {
    return this.#running > 0;
  }

  /** Throws a StoreError; what is on the disk is then unknown, also after another attempt. */
  now(): void {
    const handle = this.#open();
    namingFile(this.#file, () => fdatasyncSync(handle));
  }

  /** The same without holding up the thread; what is committed meanwhile may be left out. */
  beside(): Promise<void> {
    const handle = this.#open();
    this.#running += 1;
    const ended = new Promise<void>((resolve, reject) => {
      fdatasync(handle, (error) => {
        this.#running -= 1;
        this.#closeIfIdle();
        if (error === null) resolve();
        else reject(error);
      });
    });
    return namingFileAsync(this.#file, () => ended);
  }

  /** What runs still ends. */
  close(): void {
    this.#closed = true;
    this.#closeIfIdle();
  }

  /** SQLite makes the file anew each time it opens the database: the first sync puts its name on the disk as well. */
  #open(): number {
    this.#handle ??= namingFile(this.#file, () => {
      syncDirectory(dirname(this.#file));
      return openSync(this.#file, 'r+');
    });
    return this.#handle;
  }

  #closeIfIdle(): void {
    if (!this.#closed || this.#running > 0 || this.#handle === null) return;
    closeSync(this.#handle);
    this.#handle = null;
  }
}
