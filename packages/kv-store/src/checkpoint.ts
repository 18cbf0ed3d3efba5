import type Database from 'better-sqlite3';

/** What `wal_checkpoint` answers: whether another connection was in the way, and the log's pages, all and moved. */
export type WalRow = readonly [busy: number, pages: number, moved: number];

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

  /** How many pages wait to be moved, less those that readers kept back the last time. */
  get waitingPages(): number {
    const [, pages, moved] = this.#look.get() ?? [0, 0, 0];
    // A log whose pages were all moved begins again with the next write.
    if (pages < this.#attemptedPages) this.#attemptedPages = 0;
    return pages - Math.max(moved, this.#attemptedPages);
  }

  /** How long the log is: it begins again only when a write finds all of it moved. */
  get pages(): number {
    return this.#look.get()?.[1] ?? 0;
  }

  /** Moves the log once it has grown by `pages` since the last time. Throws what the disk answers. */
  runBeyond(pages: number): void {
    if (this.waitingPages >= pages) this.run();
  }

  /** Whether all of it could be moved: neither a reader nor the writer was in the way. */
  run(): boolean {
    const [, pages, moved] = this.#move.get() ?? [0, 0, 0];
    this.#attemptedPages = pages;
    return moved === pages;
  }

  /** Another connection has just moved what could be moved. */
  noteAttempt(): void {
    this.#attemptedPages = this.pages;
  }

  /** Moves what a writer adds meanwhile as well; returns whether it caught up with the writer. */
  runToEnd(maxRounds: number): boolean {
    for (let round = 1; round <= maxRounds; round++) if (this.run()) return true;
    return false;
  }
}
