import type { StateCursor, StateDatabase, Version } from '@metad/kv-store';
import { kvKeyOf } from './kv-key.ts';

/** Rows that are read and sent in one turn: some hundred microseconds on the consensus thread, … */
const MAX_PAGE_ROWS = 128;
/** … fewer where values are large: so many that they are about that long together. */
const PAGE_CHARACTERS = 128 * 1024;
const FIRST_PAGE_ROWS = 4;
/** While a reader holds its transaction open the write-ahead log grows: a client that takes longer is cut off. */
const DEADLINE_MS = 60_000;

/** Each holds a read transaction open on a connection of its own. */
const MAX_OPEN = 8;

export interface AllKeys {
  readonly version: Version;
  /** `{"OK":[{"k":…,"v":…},…]}`, a page at a time, as fast as the client takes it. */
  readonly body: ReadableStream<Uint8Array>;
}

/** Every key with its own value, all of one version, without holding up the thread whatever their number. */
export class ReadAll {
  readonly #state: StateDatabase;
  #open = 0;

  constructor(state: StateDatabase) {
    this.#state = state;
  }

  /** Null while too many others read everything. */
  open(): AllKeys | null {
    if (this.#open >= MAX_OPEN) return null;
    const cursor = this.#state.openCursor();
    this.#open += 1;
    return streamPages(cursor, () => {
      cursor.close();
      this.#open -= 1;
    });
  }
}

/** `release` is called once, when the stream ends in whatever way. */
function streamPages({ view }: StateCursor, release: () => void): AllKeys {
  const encoder = new TextEncoder();
  let after: string | null = null;
  let limit = FIRST_PAGE_ROWS;
  let begun = false;
  let timer: NodeJS.Timeout | null = null;
  const close = () => {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    release();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        timer = setTimeout(() => {
          close();
          controller.error(new Error('the client took too long to read'));
        }, DEADLINE_MS).unref();
      },
      pull: (controller) => {
        try {
          const rows = view.values('data', { after, limit });
          const items = rows.map(([path, value]) => JSON.stringify({ k: kvKeyOf(path), v: value })).join(',');
          const opening = begun ? (rows.length > 0 ? ',' : '') : '{"OK":[';
          const isLast = rows.length < limit;
          controller.enqueue(encoder.encode(opening + items + (isLast ? ']}' : '')));
          begun = true;
          after = rows.at(-1)?.[0] ?? after;
          limit = pageLike(items.length / rows.length);
          if (!isLast) return;
        } catch (error) {
          close();
          throw error;
        }
        close();
        controller.close();
      },
      cancel: close,
    },
    { highWaterMark: 1 },
  );
  return { version: view.version(), body };
}

/** How many rows the next page takes, where those before it had about that length. */
function pageLike(characters: number): number {
  return Math.max(1, Math.min(MAX_PAGE_ROWS, Math.floor(PAGE_CHARACTERS / characters)));
}
