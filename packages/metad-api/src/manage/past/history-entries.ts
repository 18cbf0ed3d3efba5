import {
  type HistoryChange,
  type HistoryEntry,
  type StateView,
  type Version,
  version,
} from '@metad/kv-store';

/**
 * The history that a view shows, newest first. It is read one entry at a time, as each may be as large as a thousand
 * others: each is a look into the database.
 */
export function* entriesOf(view: StateView): Generator<HistoryEntry, void, undefined> {
  let before: Version | null = null;
  for (;;) {
    const [entry]: HistoryEntry[] = view.history({ before, limit: 1 });
    if (entry === undefined) return;
    yield entry;
    before = version(entry.version - 1);
  }
}

/** Of the texts in a change. */
export function charactersIn({ path, before }: HistoryChange): number {
  return path.length + (before?.length ?? 0);
}
