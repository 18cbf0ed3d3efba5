import type Database from 'better-sqlite3';

/** How much of a database's file is in use, for whoever asks often. */
export class DatabaseSize {
  readonly #pageBytes: number;
  readonly #pages: Database.Statement<[], number>;
  readonly #freePages: Database.Statement<[], number>;
  #known: { readonly at: number; readonly usedBytes: number } | null = null;

  constructor(db: Database.Database) {
    this.#pageBytes = Number(db.pragma('page_size', { simple: true }));
    this.#pages = db.prepare<[], number>('PRAGMA page_count').pluck();
    this.#freePages = db.prepare<[], number>('PRAGMA freelist_count').pluck();
  }

  /** `at` is another number whenever the database may have changed: many who ask in between cost one look. */
  usedBytes(at: number): number {
    if (this.#known?.at !== at) {
      const pages = (this.#pages.get() ?? 0) - (this.#freePages.get() ?? 0);
      this.#known = { at, usedBytes: pages * this.#pageBytes };
    }
    return this.#known.usedBytes;
  }
}
