import { type Leaf, parentOf, type StateView, type TreeName } from '@metad/kv-store';
import { compareUtf8 } from '../render/utf8-order.ts';
import type { PastValues } from './past-values.ts';

/**
 * The leaves that showed at or below `path` at an earlier version: `present` are those that show now, all of them, and
 * `past` holds every change since.
 */
export function pastLeaves(
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
