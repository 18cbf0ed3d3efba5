import type { StateView, Version } from '@metad/kv-store';
import { type Checked, ok, refuse } from '../../http/problem.ts';
import { sorted } from '../../merge-sort.ts';
import { type Document, record } from '../../render/document.ts';
import { compareUtf8 } from '../../render/utf8-order.ts';
import { LOOK_LEAVES, StepMeter, type Steps } from '../../steps.ts';
import {
  changeDocument,
  isSameDocument,
  lengthOf,
  presentDocument,
  priorDocument,
} from './change-document.ts';
import type { HistoryScope } from './history-scope.ts';
import { visitChangesAfter } from './kept-changes.ts';
import { PastValues, type Prior } from './past-values.ts';

export interface DiffQuery {
  readonly scope: HistoryScope;
  readonly from: Version;
  /** Not below `from`; null: the present. */
  readonly to: Version | null;
  /** Places that are listed. */
  readonly limit: number;
}

/** A list ends with the place that makes it longer than this. */
const MAX_LISTED_CHARACTERS = 4 * 1024 * 1024;

/** What is different at `to` from what was at `from`, place by place, however often it changed in between. */
export function* readDiff(view: StateView, query: DiffQuery): Steps<Checked<Document>> {
  const { scope, from } = query;
  const atFrom = new PastValues(from);
  const atTo = query.to === null ? null : new PastValues(query.to);
  const problem = yield* visitChangesAfter(view, from, (changedAt, change) => {
    if (!scope.covers(change)) return;
    atFrom.add(changedAt, change);
    atTo?.add(changedAt, change);
  });
  if (problem !== null) return refuse(problem);
  const to = query.to ?? view.version();
  const { listed, truncated } = yield* differences(view, { from: atFrom, to: atTo }, query.limit);
  return ok(record({ from, to, changes: listed, truncated }));
}

function* differences(
  view: StateView,
  at: { readonly from: PastValues; readonly to: PastValues | null },
  limit: number,
): Steps<{ readonly listed: readonly Document[]; readonly truncated: boolean }> {
  const meter = new StepMeter();
  const listed: Document[] = [];
  let characters = 0;
  for (const prior of yield* sorted([...at.from.all()], byPlace)) {
    const { kind, path } = prior;
    const before = priorDocument(kind, prior.value);
    const later = at.to?.get(kind, path);
    const after = later === undefined ? presentDocument(view, prior) : priorDocument(kind, later.value);
    const length = lengthOf(before) + lengthOf(after);
    if (meter.isFullWith(LOOK_LEAVES, length)) yield;
    if (isSameDocument(before, after)) continue;
    if (listed.length >= limit || characters > MAX_LISTED_CHARACTERS) return { listed, truncated: true };
    characters += length;
    listed.push(changeDocument(prior, { before, after }));
  }
  return { listed, truncated: false };
}

function byPlace(a: Prior, b: Prior): number {
  return compareUtf8(a.kind, b.kind) || compareUtf8(a.path, b.path);
}
