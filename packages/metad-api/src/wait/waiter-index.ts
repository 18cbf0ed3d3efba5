import { parentOf } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { type QueryScope, scopeOf, scopeOwner } from './query-scope.ts';

export interface Indexed {
  /** Null when the client is unknown. */
  readonly host: string | null;
  readonly path: string;
  readonly profile: ClientProfile;
}

/** Waiters that see the same: what concerns one of them concerns all. */
interface Group<W> {
  readonly scope: QueryScope;
  readonly waiters: Set<W>;
}

/**
 * Finds the waiters that a change concerns. The cost of a look-up depends on the depth of the path and on how many are
 * found, not on how many wait: whether a leaf shows is asked once for all who see the same.
 */
export class WaiterIndex<W extends Indexed> {
  /** By path, and by whose scope it is. */
  readonly #groups = new Map<string, Map<object | string, Group<W>>>();
  readonly #byInterest = new Map<string, Set<Group<W>>>();
  readonly #byHost = new Map<string, Set<W>>();

  add(waiter: W): void {
    const { host, path, profile } = waiter;
    const group = this.#groups.get(path)?.get(scopeOwner(profile, path)) ?? this.#open(waiter);
    group.waiters.add(waiter);
    if (host !== null) addTo(this.#byHost, host, waiter);
  }

  /** `waiter` must be as it was added. */
  delete(waiter: W): void {
    const { host, path, profile } = waiter;
    const group = this.#groups.get(path)?.get(scopeOwner(profile, path));
    group?.waiters.delete(waiter);
    if (group?.waiters.size === 0) this.#close(group, waiter);
    if (host !== null) deleteFrom(this.#byHost, host, waiter);
  }

  /** Calls `visit` with each waiter to whom the leaf at `path` shows, given that it exists; `visit` may delete it. */
  eachShown(path: string, visit: (waiter: W) => void): void {
    if (this.#byInterest.size === 0) return;
    for (let place: string | null = path; place !== null; place = parentOf(place)) {
      for (const { scope, waiters } of this.#byInterest.get(place) ?? []) {
        if (scope.shows(path)) for (const waiter of waiters) visit(waiter);
      }
    }
  }

  /** A copy: whoever walks through it may change the index. */
  ofHost(host: string): readonly W[] {
    return [...(this.#byHost.get(host) ?? [])];
  }

  #open({ profile, path }: W): Group<W> {
    const group: Group<W> = { scope: scopeOf(profile, path), waiters: new Set() };
    const owner = scopeOwner(profile, path);
    const atPath = this.#groups.get(path);
    if (atPath === undefined) this.#groups.set(path, new Map([[owner, group]]));
    else atPath.set(owner, group);
    for (const interest of group.scope.interests) addTo(this.#byInterest, interest, group);
    return group;
  }

  #close(group: Group<W>, { profile, path }: W): void {
    const atPath = this.#groups.get(path);
    atPath?.delete(scopeOwner(profile, path));
    if (atPath?.size === 0) this.#groups.delete(path);
    for (const interest of group.scope.interests) deleteFrom(this.#byInterest, interest, group);
  }
}

function addTo<T>(sets: Map<string, Set<T>>, key: string, item: T): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([item]));
  else set.add(item);
}

function deleteFrom<T>(sets: Map<string, Set<T>>, key: string, item: T): void {
  const set = sets.get(key);
  set?.delete(item);
  if (set?.size === 0) sets.delete(key);
}
