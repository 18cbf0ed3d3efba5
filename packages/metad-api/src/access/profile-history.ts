import type { Version } from '@metad/kv-store';
import { BoundedCache } from '../bounded-cache.ts';
import type { ClientProfile } from './client-profile.ts';

/** The versions in which a client is known to have had a profile, both ends included. */
interface Period {
  readonly profile: ClientProfile;
  readonly from: Version;
  readonly until: Version;
}

const MAX_PERIODS_PER_CLIENT = 8;

/**
 * What clients were allowed to see a while ago, as far as it was ever read: so that one who comes with an old version is
 * not told of changes of its rules that make no difference to it.
 */
export class ProfileHistory {
  readonly #byHost: BoundedCache<readonly Period[]>;

  constructor(options: { readonly maxCachedClients: number }) {
    this.#byHost = new BoundedCache({ maxWeight: options.maxCachedClients });
  }

  /** Periods of one client come in the order of their versions. */
  add(host: string, period: Period): void {
    const earlier = this.#byHost.get(host) ?? [];
    this.#byHost.set(host, [...earlier, period].slice(-MAX_PERIODS_PER_CLIENT));
  }

  /** The profile that `host` had at `version`; null when that is not known. */
  at(host: string, version: Version): ClientProfile | null {
    const periods = this.#byHost.get(host) ?? [];
    return periods.find(({ from, until }) => from <= version && version <= until)?.profile ?? null;
  }

  clear(): void {
    this.#byHost.clear();
  }
}
