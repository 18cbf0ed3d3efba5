import { isAtOrBelow, joinPath, ROOT } from '@metad/kv-store';
import type { Ruling } from '../../access/access.ts';
import type { ClientProfile } from '../../access/client-profile.ts';
import { findMapped, type MappedKey } from '../../access/mapping.ts';
import type { LeafReader } from '../../read/leaf-reader.ts';
import { SELF } from '../../read/self.ts';
import type { Steps } from '../../steps.ts';

/** Why a client sees at a path of the metadata API what it sees there. */
export interface Explanation {
  /** The places of the data tree that the path shows; none where the client's mapping leads nowhere. */
  readonly branches: readonly Branch[];
  /** Whether there is more than was listed. */
  readonly truncated: boolean;
}

/** One place of the data tree that the path shows, by itself or through a key of the mapping. */
export interface Branch {
  /** Where the client finds it. */
  readonly path: string;
  /** Where it is in the data tree. */
  readonly data: string;
  /** The key that leads there, from the client's `/self`; null: none, it is its own place in the tree. */
  readonly mapped: MappedKey | null;
  readonly leaves: readonly LeafVerdict[];
}

export interface LeafVerdict {
  readonly path: string;
  readonly data: string;
  readonly visible: boolean;
  /** The rule that decided, or the target for a client without rules; null: nothing allows it. */
  readonly ruling: Ruling | null;
  /** Whether the client's own `/self` stands in its place. */
  readonly isBehindSelf: boolean;
}

type Place = Omit<Branch, 'leaves'>;

/**
 * Explains a canonical path of the metadata API: the leaves that are there, seen or not, as many as the reader may read,
 * and what decides of each.
 */
export function* explain(
  reader: LeafReader,
  profile: ClientProfile,
  at: { readonly path: string; readonly maxBranches: number },
): Steps<Explanation> {
  const branches: Branch[] = [];
  for (const place of placesOf(profile, at.path)) {
    if (reader.isOver || branches.length >= at.maxBranches) return { branches, truncated: true };
    const leaves = yield* reader.read({ tree: 'data', path: place.data, as: null, takes: null });
    branches.push({ ...place, leaves: leaves.map(([data]) => verdictOf(data, place, profile)) });
  }
  return { branches, truncated: reader.isOver };
}

/** What the path shows of the data tree, in the order in which a read looks. */
function placesOf(profile: ClientProfile, path: string): Place[] {
  if (isAtOrBelow(path, SELF)) return mappedPlaces(profile, path);
  const place = { path, data: path, mapped: null };
  return path === ROOT ? [place, ...mappedPlaces(profile, SELF)] : [place];
}

function mappedPlaces({ mapping }: ClientProfile, path: string): Place[] {
  const below = path === SELF ? ROOT : path.slice(SELF.length);
  const place = findMapped(mapping, below);
  switch (place.type) {
    case 'unmapped':
      return [];
    case 'key': {
      const mapped = mapping?.find(({ key }) => isAtOrBelow(below, key)) ?? null;
      return [{ path, data: place.path, mapped }];
    }
    case 'group':
      return place.keys.map(({ key, target }) => ({
        path: joinPath(path, key),
        data: target,
        mapped: { key: joinPath(below, key), target },
      }));
  }
}

function verdictOf(data: string, place: Place, { access, mapping }: ClientProfile): LeafVerdict {
  const ruling = access?.ruling(data) ?? null;
  const isBehindSelf = place.path === ROOT && mapping !== null && isAtOrBelow(data, SELF);
  const path = joinPath(place.path, data === place.data ? ROOT : below(data, place.data));
  return { path, data, visible: !isBehindSelf && (ruling?.allows ?? false), ruling, isBehindSelf };
}

/** The path from `ancestor` to a path below it. */
function below(path: string, ancestor: string): string {
  return ancestor === ROOT ? path : path.slice(ancestor.length);
}
