import type { StateView, Version } from '@metad/kv-store';
import type { Checked } from '../../http/problem.ts';
import { type Document, record } from '../../render/document.ts';
import { compareUtf8 } from '../../render/utf8-order.ts';
import type { ChangeFeed } from '../../wait/change-feed.ts';
import { changeDocument, isSameDocument, presentDocument, priorDocument } from './change-document.ts';
import type { HistoryScope } from './history-scope.ts';
import { readChangesAfter } from './kept-changes.ts';
import { PastValues, type Prior } from './past-values.ts';

export interface DiffQuery {
  readonly scope: HistoryScope;
  readonly from: Version;
  /** Not below `from`; null: the present. */
  readonly to: Version | null;
  /** Places that are listed. */
  readonly limit: number;
}

/** What is different at `to` from what was at `from`, place by place, however often it changed in between. */
export function readDiff(
  feed: ChangeFeed,
  query: DiffQuery,
): Promise<Checked<{ readonly document: Document; readonly version: Version }>> {
  const { scope, from } = query;
  const atFrom = new PastValues(from);
  const atTo = query.to === null ? null : new PastValues(query.to);
  return readChangesAfter(feed, from, {
    visit(changedAt, change) {
      if (!scope.covers(change)) return;
      atFrom.add(changedAt, change);
      atTo?.add(changedAt, change);
    },
    finish(view) {
      const to = query.to ?? view.version();
      const { listed, truncated } = differences(view, { from: atFrom, to: atTo }, query.limit);
      return { document: record({ from, to, changes: listed, truncated }), version: view.version() };
    },
  });
}

function differences(
  view: StateView,
  at: { readonly from: PastValues; readonly to: PastValues | null },
  limit: number,
): { readonly listed: readonly Document[]; readonly truncated: boolean } {
  const listed: Document[] = [];
  for (const prior of [...at.from.all()].sort(byPlace)) {
    const { kind, path } = prior;
    const before = priorDocument(kind, prior.value);
    const later = at.to?.get(kind, path);
    const after = later === undefined ? presentDocument(view, prior) : priorDocument(kind, later.value);
    if (isSameDocument(before, after)) continue;
    if (listed.length >= limit) return { listed, truncated: true };
    listed.push(changeDocument(prior, { before, after }));
  }
  return { listed, truncated: false };
}

function byPlace(a: Prior, b: Prior): number {
  return compareUtf8(a.kind, b.kind) || compareUtf8(a.path, b.path);
}
