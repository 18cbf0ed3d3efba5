import {
  isAtOrBelow,
  type Leaf,
  parentOf,
  ROOT,
  type StateView,
  type TreeName,
  type Version,
} from '@metad/kv-store';
import { type Checked, ok, type Problem, refuse, tooLarge } from '../../http/problem.ts';
import { sorted } from '../../merge-sort.ts';
import { LeafReader, type ReadLimits } from '../../read/leaf-reader.ts';
import { compareUtf8 } from '../../render/utf8-order.ts';
import { LOOK_LEAVES, StepMeter, type Steps } from '../../steps.ts';
import { describeLimits } from '../whole-tree.ts';
import { visitChangesAfter } from './kept-changes.ts';
import { PastValues } from './past-values.ts';

interface Place {
  readonly tree: TreeName;
  readonly path: string;
}

/**
 * What showed at or below `path` at a version that has been reached: the leaves, called from there. The limits are for
 * those that show now as well.
 */
export function* readPastTree(
  view: StateView,
  at: Place & { readonly version: Version },
  limits: ReadLimits,
): Steps<Checked<readonly Leaf[]>> {
  const { tree, path, version } = at;
  const past = new PastValues(version);
  const problem = yield* visitChangesAfter(view, version, (changedAt, change) => {
    if (change.kind === tree && isAtOrBelow(change.path, path)) past.add(changedAt, change);
  });
  if (problem !== null) return refuse(problem);
  const reader = new LeafReader(view, limits);
  const present = yield* reader.read({ tree, path, as: null, takes: null });
  if (reader.isOver) return refuse(moreThan(limits));
  const leaves = yield* shownLeaves(yield* pastValues(view, at, { present, past }), path, limits);
  return leaves === null ? refuse(moreThan(limits)) : ok(leaves);
}

/**
 * What was at or below `path`, and what was hidden there as far as it may be needed: `present` are the leaves that show
 * now, all of them, and `past` holds every change since.
 */
function* pastValues(
  view: StateView,
  at: Place,
  { present, past }: { readonly present: readonly Leaf[]; readonly past: PastValues },
): Steps<ReadonlyMap<string, string>> {
  const meter = new StepMeter();
  const values = new Map<string, string>();
  for (const [path, value] of present) {
    values.set(path, value);
    if (meter.isFullWith(1, 0)) yield;
  }
  // What stands above a leaf that was not there yet may have been hidden by it, and by nothing else.
  const looked = new Set<string>();
  for (const { path, value } of past.all()) {
    if (value !== null) values.set(path, value);
    else values.delete(path);
    if (meter.isFullWith(1, 0)) yield;
    for (const above of pathsAbove(path, at.path)) {
      if (looked.has(above)) break;
      looked.add(above);
      const own = past.get(at.tree, above) === undefined ? view.value(at.tree, above) : undefined;
      if (own !== undefined) values.set(above, own);
      if (meter.isFullWith(LOOK_LEAVES, own?.length ?? 0)) yield;
    }
  }
  return values;
}

/** Of those values the leaves, sorted and called from `path`; null when they are more than the limits allow. */
function* shownLeaves(
  values: ReadonlyMap<string, string>,
  path: string,
  limits: ReadLimits,
): Steps<readonly Leaf[] | null> {
  const meter = new StepMeter();
  const hidden = new Set<string>();
  for (const leaf of values.keys()) {
    for (const above of pathsAbove(leaf, path)) {
      if (hidden.has(above)) break;
      hidden.add(above);
    }
    if (meter.isFullWith(1, 0)) yield;
  }
  const start = path === ROOT ? 0 : path.length;
  const leaves: Leaf[] = [];
  let bytes = 0;
  for (const [leaf, value] of values) {
    if (!hidden.has(leaf)) {
      if (leaves.length >= limits.maxLeaves || bytes >= limits.maxBytes) return null;
      leaves.push([leaf.slice(start), value]);
      bytes += value.length;
    }
    if (meter.isFullWith(1, 0)) yield;
  }
  return yield* sorted(leaves, ([a], [b]) => compareUtf8(a, b));
}

function moreThan(limits: ReadLimits): Problem {
  return tooLarge(`this is more than ${describeLimits(limits)}: ask for a path in it`);
}

/** The paths above `path`, up to and with `top`; none for `top` itself. */
function* pathsAbove(path: string, top: string): Generator<string> {
  for (let above = path === top ? null : parentOf(path); above !== null; above = parentOf(above)) {
    yield above;
    if (above === top) return;
  }
}
