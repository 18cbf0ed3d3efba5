import { existsSync } from 'node:fs';
import { assert } from '@metad/raft-core';
import type Database from 'better-sqlite3';
import { openForReading } from './database.ts';
import { STATE_FORMAT, STATE_READER_CONNECTION } from './state-schema.ts';
import { type StateReader, StateView } from './state-view.ts';
import { namingFile, StoreError } from './store-error.ts';
import type { Version } from './version.ts';

/** A consistent view that stays open over several turns of the event loop. */
export interface StateCursor {
  readonly view: StateView;
  /** For looks at the view: what the disk does to them names the file, as it does in other reads. */
  read<T>(look: (view: StateView) => T): T;
  /** May be called again. */
  close(): void;
}

/** Reads of the state: such as take one turn of the event loop, and such as take many. */
export interface StateSource extends StateReader {
  /** See StateDatabase. */
  openCursor(): StateCursor;
}

/**
 * state.db through a read-only connection of its own, from any thread. It neither waits for the writer nor delays it.
 */
export class StateDatabase implements StateSource {
  #connection: Connection;
  #isReading = false;
  /** Until the end of this turn `readInTurn` leaves its transaction open. */
  #isTurnOpen = false;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Throws a StoreError when the file is not there: the node's own thread creates it, before it starts others. */
  static open(file: string): StateDatabase {
    return new StateDatabase(connect(file));
  }

  /** Reads another file from now on: a snapshot was installed. Cursors go on with the one they began. */
  reopen(file: string): void {
    assert(!this.#isReading, 'no read is under way');
    const before = this.#connection;
    this.#connection = connect(file);
    before.db.close();
  }

  read<T>(look: (view: StateView) => T): T {
    return this.#reading(() => {
      this.#endTransaction();
      try {
        return this.#look(look);
      } finally {
        this.#endTransaction();
      }
    });
  }

  /**
   * A read of version `atLeast` or a newer one. Such reads of one turn of the event loop share a transaction for as long
   * as it is new enough: to begin and end one costs more than to read a leaf. So whoever calls it must know of the newest
   * version that anybody was told of.
   */
  readInTurn<T>(atLeast: Version, look: (view: StateView) => T): T {
    return this.#reading(() => {
      const { db, view } = this.#connection;
      if (db.inTransaction && view.version() < atLeast) this.#endTransaction();
      this.#endWithTurn();
      try {
        return this.#look(look);
      } catch (error) {
        this.#endTransaction();
        throw error;
      }
    });
  }

  /**
   * One read transaction that stays open until `close`, on a connection of its own: for paging through much without
   * blocking. While it is open the write-ahead log cannot be reused and grows with every write, so the caller must
   * bound the time.
   */
  openCursor(): StateCursor {
    const { file } = this.#connection;
    const db = openConnection(file);
    try {
      return namingFile(file, () => {
        const view = new StateView(db, () => db.inTransaction);
        db.exec('BEGIN');
        // SQLite fixes what the transaction sees with its first read, not before.
        view.version();
        return { view, read: (look) => namingFile(file, () => look(view)), close: () => db.close() };
      });
    } catch (error) {
      db.close();
      throw error;
    }
  }

  close(): void {
    this.#connection.db.close();
  }

  #reading<T>(run: () => T): T {
    assert(!this.#isReading, 'reads do not nest');
    this.#isReading = true;
    try {
      return namingFile(this.#connection.file, run);
    } finally {
      this.#isReading = false;
    }
  }

  #look<T>(look: (view: StateView) => T): T {
    const { db, view, begin } = this.#connection;
    if (!db.inTransaction) {
      begin.run();
      view.renew();
    }
    const seen = look(view);
    assert(!(seen instanceof Promise), 'a read transaction ends before a promise could settle');
    return seen;
  }

  #endWithTurn(): void {
    if (this.#isTurnOpen) return;
    this.#isTurnOpen = true;
    setImmediate(() => {
      this.#isTurnOpen = false;
      this.#endTransaction();
    });
  }

  #endTransaction(): void {
    const { db, end } = this.#connection;
    // SQLite ends it by itself when the disk fails under it.
    if (db.open && db.inTransaction) end.run();
  }
}

interface Connection {
  readonly file: string;
  readonly db: Database.Database;
  readonly view: StateView;
  readonly begin: Database.Statement<[]>;
  readonly end: Database.Statement<[]>;
}

function connect(file: string): Connection {
  const db = openConnection(file);
  try {
    return namingFile(file, () => {
      const view = new StateView(db, () => db.inTransaction);
      return { file, db, view, begin: db.prepare('BEGIN'), end: db.prepare('COMMIT') };
    });
  } catch (error) {
    db.close();
    throw error;
  }
}

function openConnection(file: string): Database.Database {
  if (!existsSync(file)) throw new StoreError('io', `${file} does not exist: no node has been started here`);
  return openForReading(file, STATE_FORMAT, STATE_READER_CONNECTION);
}
