import { type HistoryEntry, type StateView, type Version, version } from '@metad/kv-store';
import { nextTurn } from '../../steps.ts';
import type { ChangeFeed } from '../../wait/change-feed.ts';

/** What a walk is for. */
export interface Walk<T> {
  /** All changes after it are needed; null: as many as are kept. */
  readonly floor: Version | null;
  /**
   * Called once with each entry, newest first; only those that were made during the walk come last. Returns whether
   * older ones are needed, too.
   */
  visit(entry: HistoryEntry): boolean;
  /**
   * Called in one transaction with the last entries: nothing changed after what was visited. Without a floor, what is
   * below the view's `historyStart` may have been visited in part.
   */
  finish(view: StateView): T;
}

export type WalkOutcome<T> =
  | { readonly type: 'done'; readonly value: T }
  /** Changes after the floor are no longer kept. `oldest`: the earliest version of which all are. */
  | { readonly type: 'gone'; readonly oldest: Version };

/** Entries that are read in one turn: other requests are answered in between. */
const SLICE_ENTRIES = 64;

/** Walks through the history of changes without holding the thread: each slice is a read transaction of its own. */
export async function walkHistory<T>(feed: ChangeFeed, walk: Walk<T>): Promise<WalkOutcome<T>> {
  let visited: Version | null = null;
  for (;;) {
    const down: WalkOutcome<Version> = await walkDown(feed, walk, visited);
    if (down.type === 'gone') return down;
    visited = down.value;
    const finished = finish(feed, walk, visited);
    if (finished !== null) return finished;
  }
}

/** From the present down to `until`, which was visited before, or as far as is needed; where it began. */
async function walkDown<T>(
  feed: ChangeFeed,
  walk: Walk<T>,
  until: Version | null,
): Promise<WalkOutcome<Version>> {
  const needed = walk.floor === null ? null : (until ?? walk.floor);
  let before: Version | null = null;
  let top: Version | null = null;
  for (;;) {
    const slice: { now: Version; start: Version; entries: HistoryEntry[] } = feed.read((view, now) => ({
      now,
      start: view.historyStart(),
      entries: view.history({ before, limit: SLICE_ENTRIES }),
    }));
    top ??= slice.now;
    // What was kept may have been trimmed since the last slice.
    if (needed !== null && slice.start > needed) return { type: 'gone', oldest: slice.start };
    for (const entry of slice.entries) {
      if (until !== null && entry.version <= until) return { type: 'done', value: top };
      if (!walk.visit(entry)) return { type: 'done', value: top };
    }
    const last = slice.entries.at(-1);
    if (last === undefined || slice.entries.length < SLICE_ENTRIES) return { type: 'done', value: top };
    before = version(last.version - 1);
    await nextTurn();
  }
}

/** Null when too much has changed since `visited` for one turn. */
function finish<T>(feed: ChangeFeed, walk: Walk<T>, visited: Version): WalkOutcome<T> | null {
  return feed.read((view): WalkOutcome<T> | null => {
    const start = view.historyStart();
    if (walk.floor !== null && start > visited) return { type: 'gone', oldest: start };
    const entries = view.history({ before: null, limit: SLICE_ENTRIES });
    const newer = entries.filter((entry) => entry.version > visited);
    if (newer.length === SLICE_ENTRIES) return null;
    for (const entry of newer) walk.visit(entry);
    return { type: 'done', value: walk.finish(view) };
  });
}
