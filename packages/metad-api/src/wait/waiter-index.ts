import { parentOf } from '@metad/kv-store';

export interface Indexed {
  /** Null when the client is unknown. */
  readonly host: string | null;
  readonly interests: readonly string[];
}

/**
 * Finds the waiters that a change may concern. The cost of a look-up depends on the depth of the path and on how many
 * are found, not on how many wait.
 */
export class WaiterIndex<W extends Indexed> {
  readonly #byInterest = new Map<string, Set<W>>();
  readonly #byHost = new Map<string, Set<W>>();

  add(waiter: W): void {
    for (const path of waiter.interests) addTo(this.#byInterest, path, waiter);
    if (waiter.host !== null) addTo(this.#byHost, waiter.host, waiter);
  }

  /** `waiter.interests` must be those that it was added with. */
  delete(waiter: W): void {
    for (const path of waiter.interests) deleteFrom(this.#byInterest, path, waiter);
    if (waiter.host !== null) deleteFrom(this.#byHost, waiter.host, waiter);
  }

  /** Calls `visit` with each waiter that has an interest at or above `path`; `visit` may delete it. */
  eachInterestedIn(path: string, visit: (waiter: W) => void): void {
    if (this.#byInterest.size === 0) return;
    for (let place: string | null = path; place !== null; place = parentOf(place)) {
      for (const waiter of this.#byInterest.get(place) ?? []) visit(waiter);
    }
  }

  /** A copy: whoever walks through it may change the index. */
  ofHost(host: string): readonly W[] {
    return [...(this.#byHost.get(host) ?? [])];
  }
}

function addTo<W>(sets: Map<string, Set<W>>, key: string, waiter: W): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([waiter]));
  else set.add(waiter);
}

function deleteFrom<W>(sets: Map<string, Set<W>>, key: string, waiter: W): void {
  const set = sets.get(key);
  set?.delete(waiter);
  if (set?.size === 0) sets.delete(key);
}
