import { isAtOrBelow, ROOT } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { findMapped } from '../access/mapping.ts';
import { SELF } from './self.ts';

/**
 * The one path of the data that a client sees all of when it asks for `path`, a canonical one; null where the answer is
 * made of several places, or hides something. All clients for whom it is the same see the same, however they came to it:
 * so the thousands of machines of one cluster, each with rules of its own, share what `/self/cluster` says.
 */
export function openPlace(profile: ClientProfile, path: string): string | null {
  const last = lastAsked.get(profile);
  if (last?.path === path) return last.place;
  const place = findOpenPlace(profile, path);
  lastAsked.set(profile, { path, place });
  return place;
}

/** What a profile was asked for last: clients ask the same again and again. */
const lastAsked = new WeakMap<ClientProfile, { readonly path: string; readonly place: string | null }>();

function findOpenPlace({ access, mapping }: ClientProfile, path: string): string | null {
  // The root shows `/self` as well, which is another one for each client.
  if (access === null || path === ROOT) return null;
  const place = isAtOrBelow(path, SELF) ? mappedPath(mapping, path.slice(SELF.length)) : path;
  return place !== null && access.allowsAllBelow(place) === true ? place : null;
}

function mappedPath(mapping: ClientProfile['mapping'], below: string): string | null {
  const place = findMapped(mapping, below === '' ? ROOT : below);
  return place.type === 'key' ? place.path : null;
}
