import { type Leaf, parentOf, ROOT } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { findMapped, type MappedKey } from '../access/mapping.ts';
import { type Found, MISSING } from '../render/found.ts';
import { compareUtf8 } from '../render/utf8-order.ts';
import type { Steps } from '../steps.ts';
import { inOrder, readableLeaves, readData } from './data-read.ts';
import type { LeafReader } from './leaf-reader.ts';

/** The path under which each client finds its own mapping, resolved. */
export const SELF = '/self';

/** What a client finds at `/self` + `below`; the paths in a tree begin with `as`. */
export function* readSelf(
  reader: LeafReader,
  profile: ClientProfile,
  { below, as }: { readonly below: string; readonly as: string },
): Steps<Found> {
  const place = findMapped(profile.mapping, below);
  switch (place.type) {
    case 'unmapped':
      return MISSING;
    case 'key':
      return yield* readData(reader, profile.access, { path: place.path, as });
    case 'group':
      return yield* readGroup(reader, profile, { keys: place.keys, as });
  }
}

/** A key whose target is missing or forbidden is left out; the groups on the way to it show all the same. */
function* readGroup(
  reader: LeafReader,
  { access }: ClientProfile,
  { keys, as }: { readonly keys: readonly MappedKey[]; readonly as: string },
): Steps<Found> {
  const parts: Leaf[][] = [];
  const groups = new Set<string>();
  const filled = new Set<string>();
  for (const { key, target } of keys) {
    const part = yield* readableLeaves(reader, access, { path: target, as: as + key });
    parts.push(part);
    for (const group of groupsAbove(key)) (part.length > 0 ? filled : groups).add(group);
  }
  const empty = [...groups].filter((group) => !filled.has(group)).sort(compareUtf8);
  return { type: 'tree', leaves: inOrder(parts), emptyTrees: empty.map((group) => as + group) };
}

function* groupsAbove(key: string): Generator<string> {
  for (let group = parentOf(key); group !== null && group !== ROOT; group = parentOf(group)) yield group;
}
