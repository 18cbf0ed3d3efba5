import type { Version } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { type QueryScope, scopeOf } from './query-scope.ts';
import type { Indexed } from './waiter-index.ts';

/** How a wait ended. Whoever waited reads anew, except when it was `stopped` or the client is `gone`. */
export type WaitEnd = 'changed' | 'timedOut' | 'stopped' | 'gone';

/** One request that is held open. */
export class Waiter implements Indexed {
  readonly host: string | null;
  readonly path: string;
  /** The client has seen all that changed up to this version. */
  readonly since: Version;
  /**
   * The profile was first read at this version. A change of rules or mapping between `since` and this one is in it
   * already, so that there is no older profile to compare it with.
   */
  readonly profileFirstReadAt: Version;
  readonly #end: (end: WaitEnd) => void;
  #profile: ClientProfile;
  #scope: QueryScope;

  constructor(options: {
    readonly host: string | null;
    readonly path: string;
    readonly since: Version;
    readonly profile: ClientProfile;
    readonly profileFirstReadAt: Version;
    readonly end: (end: WaitEnd) => void;
  }) {
    this.host = options.host;
    this.path = options.path;
    this.since = options.since;
    this.profileFirstReadAt = options.profileFirstReadAt;
    this.#end = options.end;
    this.#profile = options.profile;
    this.#scope = scopeOf(options.profile, options.path);
  }

  get profile(): ClientProfile {
    return this.#profile;
  }

  get interests(): readonly string[] {
    return this.#scope.interests;
  }

  shows(path: string): boolean {
    return this.#scope.shows(path);
  }

  /** Must not be in an index meanwhile. */
  adopt(profile: ClientProfile): void {
    this.#profile = profile;
    this.#scope = scopeOf(profile, this.path);
  }

  end(end: WaitEnd): void {
    this.#end(end);
  }
}
