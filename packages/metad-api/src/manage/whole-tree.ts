import type { Leaf, StateView, TreeName } from '@metad/kv-store';
import { type Checked, ok, refuse, tooLarge } from '../http/problem.ts';
import { readLeafPage } from './leaf-page.ts';

const MAX_TREE_BYTES = 64 * 1024 * 1024;

/**
 * All leaves that show at or below `path`. More than one write may hold, or than 64 MiB of values, are refused: nobody
 * else is answered while they are read and put into a document.
 */
export function readWholeTree(
  view: StateView,
  at: { readonly tree: TreeName; readonly path: string },
  { maxLeaves }: { readonly maxLeaves: number },
): Checked<readonly Leaf[]> {
  const page = readLeafPage(view, { ...at, after: null }, { maxLeaves, maxBytes: MAX_TREE_BYTES });
  if (!page.hasMore) return ok(page.leaves);
  const most = `${maxLeaves} values or ${MAX_TREE_BYTES / 1024 / 1024} MiB`;
  return refuse(
    tooLarge(`this is more than ${most}: read it in pages, with limit=1000 and the cursor of each page`),
  );
}
