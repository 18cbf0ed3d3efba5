import { type Leaf, ROOT, type StateView } from '@metad/kv-store';
import type { Access } from './access.ts';
import type { ClientProfile } from './client-profile.ts';
import { type Found, MISSING } from './found.ts';

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
  const common = access === null ? false : access.allowsAllBelow(path);
  if (access === null || common === false) return [];
  const leaves = view.leaves('data', path);
  return common ? leaves : leaves.filter(([leaf]) => access.allows(leaf));
}

/** Turns absolute paths into paths from `base`. */
export function relativeTo(base: string, leaves: readonly Leaf[]): readonly Leaf[] {
  if (base === ROOT) return leaves;
  return leaves.map(([path, value]): Leaf => [path.slice(base.length), value]);
}
