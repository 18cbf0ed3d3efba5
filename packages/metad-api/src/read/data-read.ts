import { isAtOrBelow, type Leaf, ROOT } from '@metad/kv-store';
import type { Access } from '../access/access.ts';
import { type Found, foundIn } from '../render/found.ts';
import { compareUtf8 } from '../render/utf8-order.ts';
import type { Steps } from '../steps.ts';
import type { LeafReader } from './leaf-reader.ts';

/** A place of the data tree, and what it is called in the answer. */
interface Place {
  readonly path: string;
  readonly as: string;
  /** What is at or below it is left out. */
  readonly except?: string;
}

/** What a client finds in the data tree, where `/self` is a name like any other. */
export function* readData(reader: LeafReader, access: Access | null, place: Place): Steps<Found> {
  return foundIn(yield* readableLeaves(reader, access, place), place.as);
}

/** The leaves at or below a path that may be read, sorted by the UTF-8 bytes of their paths. */
export function* readableLeaves(
  reader: LeafReader,
  access: Access | null,
  { path, as, except }: Place,
): Steps<Leaf[]> {
  if (access === null) return [];
  // Only the places that are open are looked at: a client sees little of a tree that may be very large.
  const parts: Leaf[][] = [];
  for (const opening of access.openings(path)) {
    const isOpen = access.allowsAllBelow(opening) === true;
    const takes =
      isOpen && except === undefined
        ? null
        : (leaf: string) =>
            (isOpen || access.allows(leaf)) && (except === undefined || !isAtOrBelow(leaf, except));
    const below = opening === path ? '' : opening.slice(path === ROOT ? 0 : path.length);
    parts.push(yield* reader.read({ tree: 'data', path: opening, as: as + below, takes }));
  }
  return inOrder(parts);
}

/** All leaves of several parts, each of which is sorted, and all that is at or below a place of its own. */
export function inOrder(parts: readonly Leaf[][]): Leaf[] {
  if (parts.length < 2) return parts[0] ?? [];
  const filled = parts.filter((part) => part.length > 0);
  // No leaf of one is between two of another.
  return filled.sort(([a], [b]) => compareUtf8(a?.[0] ?? '', b?.[0] ?? '')).flat();
}
