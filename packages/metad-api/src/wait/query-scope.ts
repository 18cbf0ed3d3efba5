import { isAtOrBelow, ROOT } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { findMapped } from '../access/mapping.ts';
import { openPlace } from '../read/open-place.ts';
import { SELF } from '../read/self.ts';

/** Which changes of the data can change what one client sees at one path. */
export interface QueryScope {
  /** Nothing outside of these paths and what is below them is of any interest. */
  readonly interests: readonly string[];
  /** Whether the leaf at `path` shows in the answer, given that it exists. */
  shows(path: string): boolean;
}

const NOTHING: QueryScope = { interests: [], shows: () => false };

/** `path` is canonical, as the client asked for it. */
export function scopeOf(profile: ClientProfile, path: string): QueryScope {
  const { access } = profile;
  if (access === null) return NOTHING;
  const places = placesOf(profile, path);
  const interests = [...new Set(places.flatMap((place) => access.openings(place)))];
  const hidden = path === ROOT && profile.mapping !== null ? selfTargets(profile) : null;
  return {
    interests,
    shows: (leaf) =>
      access.allows(leaf) &&
      places.some((place) => isAtOrBelow(leaf, place)) &&
      (hidden === null || !isAtOrBelow(leaf, SELF) || hidden.some((target) => isAtOrBelow(leaf, target))),
  };
}

/**
 * What the scope at a path depends on: equal owners, equal scopes. A place that is open as a whole is one for all to whom
 * it is; and most paths have nothing to do with the mapping.
 */
export function scopeOwner(profile: ClientProfile, path: string): object | string {
  const place = openPlace(profile, path);
  if (place !== null) return place;
  const isMapped = isAtOrBelow(path, SELF) || (path === ROOT && profile.mapping !== null);
  return isMapped ? profile : (profile.access ?? NOTHING);
}

/** The paths of the data tree that the answer is made of. */
function placesOf(profile: ClientProfile, path: string): readonly string[] {
  if (!isAtOrBelow(path, SELF)) return [path];
  const place = findMapped(profile.mapping, path === SELF ? ROOT : path.slice(SELF.length));
  switch (place.type) {
    case 'key':
      return [place.path];
    case 'group':
      return place.keys.map(({ target }) => target);
    case 'unmapped':
      return [];
  }
}

/** A client with a mapping does not see data under the name `self`, except where its mapping leads there. */
function selfTargets(profile: ClientProfile): readonly string[] {
  return (profile.mapping ?? []).map(({ target }) => target);
}

/** Whether a change of the client's mapping can change what it sees at `path`. */
export function dependsOnMapping(profile: ClientProfile, path: string): boolean {
  return !profile.hasRules || path === ROOT || isAtOrBelow(path, SELF);
}

/** The part of a mapping that a path of `/self` is about, to be compared as text; the same for every other path. */
export function mappingPart(profile: ClientProfile, path: string): string {
  if (!isAtOrBelow(path, SELF)) return '';
  return JSON.stringify(findMapped(profile.mapping, path === SELF ? ROOT : path.slice(SELF.length)));
}
