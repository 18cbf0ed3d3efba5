import { existsSync } from 'node:fs';
import { assert } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import { openForReading } from './database.ts';
import { STATE_FORMAT, STATE_READER_CONNECTION } from './state-schema.ts';
import { type StateReader, StateView } from './state-view.ts';
import { namingFile, StoreError } from './store-error.ts';

/** A consistent view that stays open over several turns of the event loop. */
export interface StateCursor {
  readonly view: StateView;
  close(): void;
}

/**
 * state.db through a read-only connection of its own, from any thread. It neither waits for the writer nor delays it.
 */
export class StateDatabase implements StateReader {
  readonly #file: string;
  readonly #db: Database.Database;
  readonly #view: StateView;
  readonly #begin: Database.Statement<[]>;
  readonly #end: Database.Statement<[]>;

  private constructor(file: string, db: Database.Database) {
    this.#file = file;
    this.#db = db;
    this.#view = new StateView(db, () => db.inTransaction);
    this.#begin = db.prepare('BEGIN');
    this.#end = db.prepare('COMMIT');
  }

  /** Throws a StoreError when the file is not there: the node's own thread creates it, before it starts others. */
  static open(file: string): StateDatabase {
    const db = openConnection(file);
    try {
      return namingFile(file, () => new StateDatabase(file, db));
    } catch (error) {
      db.close();
      throw error;
    }
  }

  read<T>(look: (view: StateView) => T): T {
    assert(!this.#db.inTransaction, 'reads do not nest');
    return namingFile(this.#file, () => {
      this.#begin.run();
      try {
        const seen = look(this.#view);
        assert(!(seen instanceof Promise), 'a read transaction ends before a promise could settle');
        return seen;
      } finally {
        // SQLite ends a transaction by itself when the disk fails under it.
        if (this.#db.inTransaction) this.#end.run();
      }
    });
  }

  /**
   * One read transaction that stays open until `close`, on a connection of its own: for paging through much without
   * blocking. While it is open the write-ahead log cannot be reused and grows with every write, so the caller must
   * bound the time.
   */
  openCursor(): StateCursor {
    const db = openConnection(this.#file);
    try {
      return namingFile(this.#file, () => {
        const view = new StateView(db, () => db.inTransaction);
        db.exec('BEGIN');
        // SQLite fixes what the transaction sees with its first read, not before.
        view.version();
        return { view, close: () => db.close() };
      });
    } catch (error) {
      db.close();
      throw error;
    }
  }

  close(): void {
    this.#db.close();
  }
}

function openConnection(file: string): Database.Database {
  if (!existsSync(file)) throw new StoreError('io', `${file} does not exist: no node has been started here`);
  return openForReading(file, STATE_FORMAT, STATE_READER_CONNECTION);
}
