import { parentOf, type Version } from '@metad/kv-store';
import type { NamedChange } from './change-window.ts';

/**
 * The newest version in which something changed at or below each path, and for each client: it answers "nothing since"
 * in a step, which is what nearly all hear who come back together after a node was lost.
 */
export class LatestChanges {
  /** By path; a parent's version is never older than that of a path below it. */
  readonly #below = new Map<string, Version>();
  readonly #ofHost = new Map<string, Version>();

  add(change: NamedChange): void {
    const { version } = change;
    if (change.type !== 'data') {
      for (const host of change.hosts) this.#ofHost.set(host, version);
      return;
    }
    for (const path of change.paths) {
      for (let place: string | null = path; place !== null; place = parentOf(place)) {
        if (this.#below.get(place) === version) break;
        this.#below.set(place, version);
      }
    }
  }

  /** Forgets the oldest change: what it says is no newer than what is asked for from now on. */
  delete(change: NamedChange): void {
    const { version } = change;
    if (change.type !== 'data') {
      for (const host of change.hosts) if (this.#ofHost.get(host) === version) this.#ofHost.delete(host);
      return;
    }
    for (const path of change.paths) {
      for (let place: string | null = path; place !== null; place = parentOf(place)) {
        if (this.#below.get(place) !== version) break;
        this.#below.delete(place);
      }
    }
  }

  clear(): void {
    this.#below.clear();
    this.#ofHost.clear();
  }

  /** Whether data changed after `since` at one of these paths or below it. */
  concernsPaths(paths: readonly string[], since: Version): boolean {
    return paths.some((path) => (this.#below.get(path) ?? 0) > since);
  }

  /** Whether the rules or the mapping of `host` changed after `since`. */
  concernsHost(host: string, since: Version): boolean {
    return (this.#ofHost.get(host) ?? 0) > since;
  }
}
