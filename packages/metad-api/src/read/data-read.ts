import { type Leaf, ROOT, type StateView } from '@metad/kv-store';
import type { Access } from '../access/access.ts';
import type { ClientProfile } from '../access/client-profile.ts';
import { type Found, MISSING } from '../render/found.ts';
import { compareUtf8 } from '../render/utf8-order.ts';

/** What a client finds in the data tree, where `/self` is a name like any other. */
export function readData(view: StateView, profile: ClientProfile, path: string): Found {
  const leaves = readableLeaves(view, profile.access, path);
  const first = leaves[0];
  if (first === undefined) return MISSING;
  if (first[0] === path) return { type: 'leaf', value: first[1] };
  return { type: 'tree', leaves: relativeTo(path, leaves), emptyTrees: [] };
}

/** The leaves at or below `path` that may be read, with absolute paths, sorted by their UTF-8 bytes. */
export function readableLeaves(view: StateView, access: Access | null, path: string): readonly Leaf[] {
  if (access === null) return [];
  const [opening, ...more] = access.openings(path);
  if (opening === undefined) return [];
  const leaves = leavesWithin(view, access, opening);
  if (more.length === 0) return leaves;
  // Only the places that are open are looked at: a client sees little of a tree that may be very large.
  const all = [...leaves];
  for (const other of more) {
    for (const leaf of leavesWithin(view, access, other)) all.push(leaf);
  }
  return all.sort(([a], [b]) => compareUtf8(a, b));
}

function leavesWithin(view: StateView, access: Access, path: string): readonly Leaf[] {
  const leaves = view.leaves('data', path);
  return access.allowsAllBelow(path) ? leaves : leaves.filter(([leaf]) => access.allows(leaf));
}

/** Turns absolute paths into paths from `base`. */
export function relativeTo(base: string, leaves: readonly Leaf[]): readonly Leaf[] {
  if (base === ROOT) return leaves;
  return leaves.map(([path, value]): Leaf => [path.slice(base.length), value]);
}
