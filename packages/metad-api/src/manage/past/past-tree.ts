import {
  isAtOrBelow,
  type Leaf,
  parentOf,
  ROOT,
  type StateView,
  type TreeName,
  type Version,
} from '@metad/kv-store';
import { type Checked, ok } from '../../http/problem.ts';
import { compareUtf8 } from '../../render/utf8-order.ts';
import type { ChangeFeed } from '../../wait/change-feed.ts';
import { readWholeTree } from '../whole-tree.ts';
import { readChangesAfter } from './kept-changes.ts';
import { PastValues } from './past-values.ts';

/** To undo what happened to this many leaves takes as long as it may without holding others up. */
const MAX_PAST_LEAVES = 20_000;

/** What showed at or below `path` at a version that has been reached: the leaves, called from there. */
export async function readPastTree(
  feed: ChangeFeed,
  at: { readonly tree: TreeName; readonly path: string; readonly version: Version },
  limits: { readonly maxLeaves: number },
): Promise<Checked<readonly Leaf[]>> {
  const { tree, path, version } = at;
  const past = new PastValues(version);
  const maxLeaves = Math.min(limits.maxLeaves, MAX_PAST_LEAVES);
  const leaves = await readChangesAfter(feed, version, {
    visit(changedAt, change) {
      if (change.kind === tree && isAtOrBelow(change.path, path)) past.add(changedAt, change);
    },
    finish(view): Checked<readonly Leaf[]> {
      const present = readWholeTree(view, { tree, path }, { maxLeaves });
      if (present.type === 'problem') return present;
      return ok(pastLeaves(view, { tree, path }, { present: present.value, past }));
    },
  });
  if (leaves.type === 'problem') return leaves;
  const start = path === ROOT ? 0 : path.length;
  const { value } = leaves;
  return value.type === 'problem' ? value : ok(value.value.map(([leaf, text]) => [leaf.slice(start), text]));
}

/**
 * The leaves that showed at or below `path` at an earlier version: `present` are those that show now, all of them, and
 * `past` holds every change since.
 */
function pastLeaves(
  view: StateView,
  at: { readonly tree: TreeName; readonly path: string },
  { present, past }: { readonly present: readonly Leaf[]; readonly past: PastValues },
): Leaf[] {
  const values = new Map<string, string>(present);
  const hasChanged = new Set<string>();
  for (const { path, value } of past.all()) {
    hasChanged.add(path);
    if (value !== null) values.set(path, value);
    else values.delete(path);
  }
  if (hasChanged.size === 0) return [...present];
  // What stands above a leaf that was not there yet may have been hidden by it, and by nothing else.
  for (const changed of hasChanged) {
    for (const above of pathsAbove(changed, at.path)) {
      const value = hasChanged.has(above) ? undefined : view.value(at.tree, above);
      if (value !== undefined) values.set(above, value);
    }
  }
  const hidden = new Set<string>();
  for (const path of values.keys()) for (const above of pathsAbove(path, at.path)) hidden.add(above);
  return [...values].filter(([path]) => !hidden.has(path)).sort(([a], [b]) => compareUtf8(a, b));
}

/** The paths above `path`, up to and with `top`; none for `top` itself. */
function* pathsAbove(path: string, top: string): Generator<string> {
  for (let above = path === top ? null : parentOf(path); above !== null; above = parentOf(above)) {
    yield above;
    if (above === top) return;
  }
}
