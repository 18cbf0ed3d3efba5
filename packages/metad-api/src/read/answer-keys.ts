import { isAtOrBelow, ROOT } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { findMapped } from '../access/mapping.ts';
import type { Form } from '../render/render.ts';
import type { Question } from './question.ts';
import { SELF } from './self.ts';

/** Which question of a profile was asked last, and what its answer shows. */
interface Asked {
  readonly path: string;
  readonly place: string | null;
}

/**
 * Names what an answer depends on: two questions with one key have one answer at one version. A part of the data that is
 * open to a client as a whole looks the same to all of whom that holds, however they came to it: the thousands of
 * machines of one cluster, each with rules of its own, share what `/self/cluster` says.
 */
export class AnswerKeys {
  /** Clients ask the same again and again. */
  readonly #lastAsked = new WeakMap<ClientProfile, Asked>();

  keyOf(profile: ClientProfile, { path, form }: Pick<Question, 'path' | 'form'>): string {
    const place = this.#placeOf(profile, path);
    return place === null ? `${profile.id}${formKey(form)}${path}` : `${formKey(form)}${place}`;
  }

  #placeOf(profile: ClientProfile, path: string): string | null {
    const last = this.#lastAsked.get(profile);
    if (last?.path === path) return last.place;
    const place = openPlace(profile, path);
    this.#lastAsked.set(profile, { path, place });
    return place;
  }
}

/** The one path of the data that an answer shows all of; null where it is made of several, or hides something. */
function openPlace({ access, mapping }: ClientProfile, path: string): string | null {
  // The root shows `/self` as well, which is another one for each client.
  if (access === null || path === ROOT) return null;
  const place = isAtOrBelow(path, SELF) ? mappedPath(mapping, path.slice(SELF.length)) : path;
  return place !== null && access.allowsAllBelow(place) === true ? place : null;
}

function mappedPath(mapping: ClientProfile['mapping'], below: string): string | null {
  const place = findMapped(mapping, below === '' ? ROOT : below);
  return place.type === 'key' ? place.path : null;
}

function formKey({ format, pretty }: Form): string {
  return `${format}${pretty ? '+' : ''}`;
}
