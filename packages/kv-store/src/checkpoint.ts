import type Database from 'better-sqlite3';

/** What `wal_checkpoint` answers: whether another connection was in the way, and the log's pages, all and moved. */
type WalRow = readonly [busy: number, pages: number, moved: number];

/** A write that makes the write-ahead log longer than this moves it: some milliseconds, a heartbeat must fit between. */
export const MAX_WAL_PAGES = 1_000;

/**
 * Moves a database's write-ahead log into its main file, with the syncs that this takes. SQLite would do so by itself
 * in the write that makes the log too long, but drop the error of a disk that fails there; here it is thrown.
 */
export class Checkpoints {
  readonly #look: Database.Statement<[], WalRow>;
  readonly #move: Database.Statement<[], WalRow>;
  /** How long the log was after the last attempt: readers may keep one from getting to its end. */
  #attemptedPages = 0;

  constructor(db: Database.Database) {
    this.#look = db.prepare<[], WalRow>('PRAGMA wal_checkpoint(NOOP)').raw();
    // PASSIVE waits for nobody: what readers still need stays for the next time.
    this.#move = db.prepare<[], WalRow>('PRAGMA wal_checkpoint(PASSIVE)').raw();
  }

  /** Moves the log once it has grown by `pages` since the last time. Throws what the disk answers. */
  runBeyond(pages: number): void {
    const [, length, moved] = this.#look.get() ?? [0, 0, 0];
    // A log whose pages were all moved begins again with the next write.
    if (length < this.#attemptedPages) this.#attemptedPages = 0;
    if (length - Math.max(moved, this.#attemptedPages) < pages) return;
    this.run();
  }

  run(): void {
    const [, length] = this.#move.get() ?? [0, 0, 0];
    this.#attemptedPages = length;
  }
}
