import { isAtOrBelow, type Leaf, ROOT } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { type Found, MISSING } from '../render/found.ts';
import { compareUtf8 } from '../render/utf8-order.ts';
import { finishWithin, MAX_STEPS_AT_ONCE, type Steps } from '../steps.ts';
import { readableLeaves, readData } from './data-read.ts';
import type { LeafReader } from './leaf-reader.ts';
import { readSelf, SELF } from './self.ts';

/** What a client finds at a canonical path of the metadata API. */
export function readMetadata(reader: LeafReader, profile: ClientProfile, path: string): Steps<Found> {
  if (path === ROOT) return readRoot(reader, profile);
  if (!isAtOrBelow(path, SELF)) return readData(reader, profile.access, { path, as: '' });
  return readSelf(reader, profile, { below: path === SELF ? ROOT : path.slice(SELF.length), as: '' });
}

/** The same in this very turn; null when it is too much for that. */
export function readMetadataAtOnce(reader: LeafReader, profile: ClientProfile, path: string): Found | null {
  const found = finishWithin(readMetadata(reader, profile, path), MAX_STEPS_AT_ONCE);
  return reader.isOver ? null : found;
}

/** Every client with rules or a mapping has a root, even if there is nothing in it. */
function* readRoot(reader: LeafReader, profile: ClientProfile): Steps<Found> {
  if (profile.access === null) return MISSING;
  const self = yield* readSelf(reader, profile, { below: ROOT, as: SELF });
  const place = { path: ROOT, as: '' };
  if (self.type !== 'tree') {
    return { type: 'tree', leaves: yield* readableLeaves(reader, profile.access, place), emptyTrees: [] };
  }
  const data = yield* readableLeaves(reader, profile.access, { ...place, except: SELF });
  const isEmpty = self.leaves.length + self.emptyTrees.length === 0;
  return {
    type: 'tree',
    leaves: inserted(self.leaves, data),
    emptyTrees: isEmpty ? [SELF] : self.emptyTrees,
  };
}

/** Both in order; all of `leaves` have their place between two neighbours of `others`. */
function inserted(leaves: readonly Leaf[], others: readonly Leaf[]): readonly Leaf[] {
  const [first] = leaves;
  if (first === undefined) return others;
  let from = 0;
  let to = others.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareUtf8(others[middle]?.[0] ?? '', first[0]) < 0) from = middle + 1;
    else to = middle;
  }
  return others.slice(0, from).concat(leaves, others.slice(from));
}
