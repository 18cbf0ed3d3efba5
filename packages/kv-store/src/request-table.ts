import { createHash } from 'node:crypto';
import type Database from 'better-sqlite3';
import type { WriteCommand } from './command.ts';
import { type Version, version } from './version.ts';
import { contentOf } from './write-codec.ts';

/** How long idempotency keys are remembered. The same on every node, or their rows would differ. */
export interface RequestLimits {
  /** By the times that leaders stamp. */
  readonly maxAgeMs: number;
  readonly maxRequests: number;
}

export const REQUEST_LIMITS: RequestLimits = { maxAgeMs: 24 * 60 * 60 * 1000, maxRequests: 100_000 };

/** Old ones are removed whenever so many new ones have come. */
const trimInterval = 64;

/** What a row takes besides its key, which stands in an index as well. */
const rowBytes = 80;

/** What a request with a key came to, when it was applied. */
interface RequestRow {
  readonly digest: Buffer;
  readonly version: number;
  readonly time: number;
}

/**
 * The requests that were applied under an idempotency key, so that none is applied twice. Must run inside a transaction.
 * They are numbered in order; times never decrease along them.
 */
export class RequestTable {
  readonly #limits: RequestLimits;
  readonly #statements: ReturnType<typeof prepareStatements>;
  #last: number;
  #bytes: number;

  constructor(db: Database.Database, limits: RequestLimits) {
    this.#limits = limits;
    this.#statements = prepareStatements(db);
    this.#last = this.#statements.last.get() ?? 0;
    this.#bytes = this.#statements.bytes.get(Number.MAX_SAFE_INTEGER) ?? 0;
  }

  /** What the rows take, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What a write came to under its key before `time`: null when that is not known, or there is none. */
  find(write: WriteCommand, time: number): { readonly isSame: boolean; readonly version: Version } | null {
    const row = this.#rowOf(write.idempotencyKey, time);
    return row && { isSame: row.digest.equals(digestOf(write)), version: version(row.version) };
  }

  /** Whether a write at that time would find its key here. */
  has(idempotencyKey: string, time: number): boolean {
    return this.#rowOf(idempotencyKey, time) !== null;
  }

  add(write: WriteCommand, result: { readonly version: Version; readonly time: number }): void {
    this.#last += 1;
    const { idempotencyKey } = write;
    // One that is too old to count may still have the key.
    this.#bytes -= this.#statements.remove.get(idempotencyKey) ?? 0;
    this.#statements.add.run(this.#last, idempotencyKey, digestOf(write), result.version, result.time);
    this.#bytes += bytesOf(idempotencyKey.length);
    if (this.#last % trimInterval === 0) this.#trim(result.time);
  }

  #rowOf(idempotencyKey: string, time: number): RequestRow | null {
    const row = this.#statements.find.get(idempotencyKey);
    return row === undefined || row.time < time - this.#limits.maxAgeMs ? null : row;
  }

  #trim(time: number): void {
    const { maxAgeMs, maxRequests } = this.#limits;
    const youngEnough = this.#statements.firstSince.get(time - maxAgeMs) ?? 0;
    const first = Math.max(youngEnough, this.#last - maxRequests + trimInterval);
    this.#bytes -= this.#statements.bytes.get(first) ?? 0;
    this.#statements.removeBefore.run(first);
  }
}

function bytesOf(keyBytes: number): number {
  return rowBytes + 2 * keyBytes;
}

/** Stands for what is asked for, whoever asks and when. */
function digestOf(write: WriteCommand): Buffer {
  return createHash('sha256')
    .update(JSON.stringify(contentOf(write)))
    .digest();
}

function prepareStatements(db: Database.Database) {
  const bytes = `${rowBytes} + 2 * length(key)`;
  return {
    last: db.prepare<[], number>('SELECT number FROM requests ORDER BY number DESC LIMIT 1').pluck(),
    bytes: db
      .prepare<[before: number], number>(`SELECT coalesce(sum(${bytes}), 0) FROM requests WHERE number < ?`)
      .pluck(),
    find: db.prepare<[key: string], RequestRow>('SELECT digest, version, time FROM requests WHERE key = ?'),
    remove: db
      .prepare<[key: string], number>(`DELETE FROM requests WHERE key = ? RETURNING ${bytes}`)
      .pluck(),
    add: db.prepare<[number: number, key: string, digest: Buffer, version: number, time: number]>(
      'INSERT INTO requests (number, key, digest, version, time) VALUES (?, ?, ?, ?, ?)',
    ),
    firstSince: db
      .prepare<[time: number], number>('SELECT number FROM requests WHERE time >= ? ORDER BY number LIMIT 1')
      .pluck(),
    removeBefore: db.prepare<[number: number]>('DELETE FROM requests WHERE number < ?'),
  };
}
