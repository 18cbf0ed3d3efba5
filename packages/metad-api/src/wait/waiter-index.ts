import { parentOf } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { type QueryScope, scopeOf, scopeOwner } from './query-scope.ts';

export interface Indexed<W> {
  /** Null when the client is unknown. */
  readonly host: string | null;
  readonly path: string;
  readonly profile: ClientProfile;
  /** Kept by the index: with whom it is found; null while it is not in there. */
  group: WaiterGroup<W> | null;
}

/** Waiters that see the same: what concerns one of them concerns all. */
export interface WaiterGroup<W> {
  readonly path: string;
  /** See scopeOwner. */
  readonly owner: object | string;
  readonly scope: QueryScope;
  readonly waiters: Set<W>;
}

/**
 * Finds the waiters that a change concerns. The cost of a look-up depends on the depth of the path and on how many are
 * found, not on how many wait: whether a leaf shows is asked once for all who see the same.
 */
export class WaiterIndex<W extends Indexed<W>> {
  /** By path, and by whose scope it is. */
  readonly #groups = new Map<string, Map<object | string, WaiterGroup<W>>>();
  readonly #byInterest = new Map<string, Set<WaiterGroup<W>>>();
  /** Of most clients one waits. */
  readonly #byHost = new Map<string, W | Set<W>>();

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  add(waiter: W): void {
    const { host, path, profile } = waiter;
    const owner = scopeOwner(profile, path);
    const group = this.#groups.get(path)?.get(owner) ?? this.#open(owner, waiter);
    group.waiters.add(waiter);
    waiter.group = group;
    if (host !== null) this.#addOfHost(host, waiter);
  }

  delete(waiter: W): void {
    const { host, group } = waiter;
    if (group === null) return;
    waiter.group = null;
    group.waiters.delete(waiter);
    if (group.waiters.size === 0) this.#close(group);
    if (host !== null) this.#deleteOfHost(host, waiter);
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
  all(): readonly W[] {
    return [...this.#groups.values()].flatMap((atPath) =>
      [...atPath.values()].flatMap(({ waiters }) => [...waiters]),
    );
  }

  /** A copy as well. */
  ofHost(host: string): readonly W[] {
    const found = this.#byHost.get(host);
    if (found === undefined) return [];
    return found instanceof Set ? [...found] : [found];
  }

  #addOfHost(host: string, waiter: W): void {
    const found = this.#byHost.get(host);
    if (found === undefined) this.#byHost.set(host, waiter);
    else if (found instanceof Set) found.add(waiter);
    else if (found !== waiter) this.#byHost.set(host, new Set([found, waiter]));
  }

  #deleteOfHost(host: string, waiter: W): void {
    const found = this.#byHost.get(host);
    if (found === waiter) this.#byHost.delete(host);
    else if (found instanceof Set && found.delete(waiter) && found.size === 0) this.#byHost.delete(host);
  }

  #open(owner: object | string, { profile, path }: W): WaiterGroup<W> {
    const group: WaiterGroup<W> = { path, owner, scope: scopeOf(profile, path), waiters: new Set() };
    const atPath = this.#groups.get(path);
    if (atPath === undefined) this.#groups.set(path, new Map([[owner, group]]));
    else atPath.set(owner, group);
    for (const interest of group.scope.interests) addTo(this.#byInterest, interest, group);
    return group;
  }

  #close(group: WaiterGroup<W>): void {
    const { path, owner, scope } = group;
    const atPath = this.#groups.get(path);
    atPath?.delete(owner);
    if (atPath?.size === 0) this.#groups.delete(path);
    for (const interest of scope.interests) deleteFrom(this.#byInterest, interest, group);
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
