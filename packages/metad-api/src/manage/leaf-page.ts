import type { Leaf, StateView, TreeName } from '@metad/kv-store';

/** How much of a tree is taken at once. */
export interface PageLimits {
  readonly maxLeaves: number;
  /** Of values; reached by the last leaf of a page, which may go beyond it. */
  readonly maxBytes: number;
}

export interface LeafPage {
  readonly leaves: readonly Leaf[];
  /** Whether there are leaves behind the last one. */
  readonly hasMore: boolean;
}

/** Values can be large: a few at a time, so that a page of many leaves never holds much more than its bytes. */
const CHUNK_LEAVES = 64;

/** The leaves that show at or below `path`, in order, behind the path `after`; null is the beginning. */
export function readLeafPage(
  view: StateView,
  at: { readonly tree: TreeName; readonly path: string; readonly after: string | null },
  limits: PageLimits,
): LeafPage {
  const leaves: Leaf[] = [];
  let bytes = 0;
  let { after } = at;
  for (;;) {
    const chunk = view.leavesPage(at.tree, at.path, { after, limit: CHUNK_LEAVES });
    for (const leaf of chunk) {
      if (leaves.length >= limits.maxLeaves || bytes >= limits.maxBytes) return { leaves, hasMore: true };
      leaves.push(leaf);
      bytes += leaf[1].length;
      after = leaf[0];
    }
    if (chunk.length < CHUNK_LEAVES) return { leaves, hasMore: false };
  }
}
