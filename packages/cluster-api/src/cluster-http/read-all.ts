import type { StateCursor, StateDatabase, Version } from '@metad/kv-store';
import { kvKeyOf } from './kv-key.ts';

/** Rows that are read and sent in one turn: a few hundred microseconds on the consensus thread. */
const PAGE_ROWS = 512;
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
        const rows = view.values('data', { after, limit: PAGE_ROWS });
        const items = rows.map(([path, value]) => JSON.stringify({ k: kvKeyOf(path), v: value }));
        const opening = begun ? (items.length > 0 ? ',' : '') : '{"OK":[';
        const complete = rows.length < PAGE_ROWS;
        controller.enqueue(encoder.encode(opening + items.join(',') + (complete ? ']}' : '')));
        begun = true;
        after = rows.at(-1)?.[0] ?? after;
        if (!complete) return;
        close();
        controller.close();
      },
      cancel: close,
    },
    { highWaterMark: 1 },
  );
  return { version: view.version(), body };
}
