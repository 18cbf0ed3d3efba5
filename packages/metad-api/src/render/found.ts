import type { Leaf } from '@metad/kv-store';

/** What a read found, before it is put into a format. */
export type Found = { readonly type: 'missing' } | { readonly type: 'leaf'; readonly value: string } | Tree;

export interface Tree {
  readonly type: 'tree';
  /** Paths from the requested place, sorted by their UTF-8 bytes. */
  readonly leaves: readonly Leaf[];
  /** Paths of trees that show although they hold nothing: groups of `/self`. */
  readonly emptyTrees: readonly string[];
}

export const MISSING: Found = { type: 'missing' };

/** `leaves` are all that there is at or below a path, sorted; `path` is what that one is called in them. */
export function foundIn(leaves: readonly Leaf[], path: string): Found {
  const [first] = leaves;
  if (first === undefined) return MISSING;
  return first[0] === path ? { type: 'leaf', value: first[1] } : { type: 'tree', leaves, emptyTrees: [] };
}

/** Whether two reads would be answered alike. */
export function sameFound(a: Found, b: Found): boolean {
  if (a.type === 'leaf' && b.type === 'leaf') return a.value === b.value;
  if (a.type === 'tree' && b.type === 'tree') {
    return sameLeaves(a.leaves, b.leaves) && samePaths(a.emptyTrees, b.emptyTrees);
  }
  return a.type === b.type;
}

function sameLeaves(a: readonly Leaf[], b: readonly Leaf[]): boolean {
  return a.length === b.length && a.every(([path, value], i) => path === b[i]?.[0] && value === b[i]?.[1]);
}

function samePaths(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((path, i) => path === b[i]);
}
