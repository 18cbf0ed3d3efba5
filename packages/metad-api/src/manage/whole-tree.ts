import { type Leaf, ROOT, type StateView, type TreeName } from '@metad/kv-store';
import { type Checked, ok, type Problem, refuse, tooLarge } from '../http/problem.ts';
import { LeafReader, type ReadLimits } from '../read/leaf-reader.ts';
import { finish } from '../steps.ts';

const MAX_TREE_BYTES = 64 * 1024 * 1024;

/** More than one write may hold is not answered at once, nor more than 64 MiB of values. */
export function wholeTreeLimits({ maxLeaves }: { readonly maxLeaves: number }): ReadLimits {
  return { maxLeaves, maxBytes: MAX_TREE_BYTES };
}

export function moreThan({ maxLeaves, maxBytes }: ReadLimits): Problem {
  const most = `${maxLeaves} values or ${maxBytes / 1024 / 1024} MiB`;
  return tooLarge(`this is more than ${most}: read it in pages, with limit=1000 and the cursor of each page`);
}

/** All leaves that show at or below `path`, in one turn. */
export function readWholeTree(
  view: StateView,
  { tree, path }: { readonly tree: TreeName; readonly path: string },
  limits: { readonly maxLeaves: number },
): Checked<readonly Leaf[]> {
  const whole = wholeTreeLimits(limits);
  const reader = new LeafReader(view, whole);
  const leaves = finish(reader.read({ tree, path, as: path === ROOT ? '' : path, takes: null }));
  return reader.isOver ? refuse(moreThan(whole)) : ok(leaves);
}
