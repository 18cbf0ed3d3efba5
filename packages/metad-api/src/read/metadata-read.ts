import { isAtOrBelow, ROOT, type StateView } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { type Found, MISSING } from '../render/found.ts';
import { compareUtf8 } from '../render/utf8-order.ts';
import { readableLeaves, readData } from './data-read.ts';
import { readSelf, SELF } from './self.ts';

/** What a client finds at a canonical path of the metadata API. */
export function readMetadata(view: StateView, profile: ClientProfile, path: string): Found {
  if (isAtOrBelow(path, SELF)) return readSelf(view, profile, path === SELF ? ROOT : path.slice(SELF.length));
  if (path === ROOT) return readRoot(view, profile);
  return readData(view, profile, path);
}

/** Every client with rules or a mapping has a root, even if there is nothing in it. */
function readRoot(view: StateView, profile: ClientProfile): Found {
  if (profile.access === null) return MISSING;
  const data = readableLeaves(view, profile.access, ROOT);
  const self = readSelf(view, profile, ROOT);
  if (self.type !== 'tree') return { type: 'tree', leaves: data, emptyTrees: [] };
  const leaves = data.filter(([path]) => !isAtOrBelow(path, SELF));
  for (const [path, value] of self.leaves) leaves.push([SELF + path, value]);
  leaves.sort(([a], [b]) => compareUtf8(a, b));
  const empty = self.emptyTrees.map((path) => SELF + path);
  return { type: 'tree', leaves, emptyTrees: self.leaves.length + empty.length === 0 ? [SELF] : empty };
}
