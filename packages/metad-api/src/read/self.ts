import { joinPath, type Leaf, parentOf, ROOT, type StateView } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { findMapped, type MappedKey } from '../access/mapping.ts';
import { type Found, MISSING } from '../render/found.ts';
import { compareUtf8 } from '../render/utf8-order.ts';
import { readData } from './data-read.ts';

/** The path under which each client finds its own mapping, resolved. */
export const SELF = '/self';

/** What a client finds at `/self` + `below`. */
export function readSelf(view: StateView, profile: ClientProfile, below: string): Found {
  const place = findMapped(profile.mapping, below);
  switch (place.type) {
    case 'unmapped':
      return MISSING;
    case 'key':
      return readData(view, profile, place.path);
    case 'group':
      return readGroup(view, profile, place.keys);
  }
}

/** A key whose target is missing or forbidden is left out; the groups on the way to it show all the same. */
function readGroup(view: StateView, profile: ClientProfile, keys: readonly MappedKey[]): Found {
  const leaves: Leaf[] = [];
  const groups = new Set<string>();
  for (const { key, target } of keys) {
    for (let group = parentOf(key); group !== null && group !== ROOT; group = parentOf(group))
      groups.add(group);
    const found = readData(view, profile, target);
    if (found.type === 'leaf') leaves.push([key, found.value]);
    if (found.type === 'tree') {
      for (const [path, value] of found.leaves) leaves.push([joinPath(key, path), value]);
    }
  }
  leaves.sort(([a], [b]) => compareUtf8(a, b));
  return { type: 'tree', leaves, emptyTrees: withoutContent(groups, leaves) };
}

function withoutContent(groups: Set<string>, leaves: readonly Leaf[]): string[] {
  for (const [path] of leaves) {
    for (let parent = parentOf(path); parent !== null; parent = parentOf(parent)) groups.delete(parent);
  }
  return [...groups].sort(compareUtf8);
}
