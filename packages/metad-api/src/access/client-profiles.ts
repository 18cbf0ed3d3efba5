import { type AccessRule, type StateView, type Version, version } from '@metad/kv-store';
import { BoundedCache } from '../bounded-cache.ts';
import { Access } from './access.ts';
import { type ClientProfile, NO_PROFILE } from './client-profile.ts';
import { type Mapping, readMapping } from './mapping.ts';
import { ProfileHistory } from './profile-history.ts';

interface Known {
  readonly profile: ClientProfile;
  readonly loadedAt: Version;
}

/** Where a profile is asked for: a version of the state, and the newest of which every change was delivered. */
interface At {
  readonly version: Version;
  readonly changesKnownTo: Version;
}

/**
 * Keeps compiled profiles.
 *
 * What is kept for a client holds for the version that it was read at, and for every later one up to which all changes
 * are known and none was of this client (`forget` is called for each).
 */
export class ClientProfiles {
  readonly #byHost: BoundedCache<Known>;
  /** Equal profiles, by all that they are made of. */
  readonly #byContent: BoundedCache<ClientProfile>;
  /** By rule list. Those of clients whose mappings differ are the same one: see scopeOwner. */
  readonly #byRules: BoundedCache<Access>;
  readonly #history: ProfileHistory;
  #lastId = NO_PROFILE.id;

  constructor(options: { readonly maxCachedClients: number }) {
    this.#byHost = new BoundedCache({ maxWeight: options.maxCachedClients });
    this.#byContent = new BoundedCache({ maxWeight: options.maxCachedClients });
    this.#byRules = new BoundedCache({ maxWeight: options.maxCachedClients });
    this.#history = new ProfileHistory(options);
  }

  /** The present profile if it is known without reading. */
  known(host: string, at: At): ClientProfile | null {
    const known = this.#byHost.get(host);
    if (known === undefined) return null;
    return at.version <= Math.max(known.loadedAt, at.changesKnownTo) ? known.profile : null;
  }

  /** The profile that a client had at an earlier version; null when that is not known. */
  earlier(host: string, version: Version): ClientProfile | null {
    return this.#history.at(host, version);
  }

  /** Reads the profile from a view, past anything that is kept. */
  load(view: StateView, host: string, at: At): ClientProfile {
    this.#remember(host, at.changesKnownTo);
    const rules = view.rules(host);
    const hostPath = `/${host}`;
    const mapping = readMapping(hostPath, view.leaves('mapping', hostPath));
    const profile = this.#shared(rules, mapping);
    this.#byHost.set(host, { profile, loadedAt: at.version });
    return profile;
  }

  /** To be called for each delivered change of the rules or the mapping of `host`, with its version. */
  forget(host: string, changed: Version): void {
    const known = this.#byHost.get(host);
    // What was read later than that shows it already.
    if (known === undefined || known.loadedAt >= changed) return;
    this.#remember(host, version(changed - 1));
    this.#byHost.delete(host);
  }

  clear(): void {
    this.#byHost.clear();
    this.#history.clear();
  }

  /** What is kept for `host`, about to go, was right up to `until` at least. */
  #remember(host: string, until: Version): void {
    const known = this.#byHost.get(host);
    if (known === undefined) return;
    const { profile, loadedAt: from } = known;
    this.#history.add(host, { profile, from, until: version(Math.max(from, until)) });
  }

  #shared(rules: readonly AccessRule[] | undefined, mapping: Mapping | null): ClientProfile {
    if (rules === undefined && mapping === null) return NO_PROFILE;
    const content = JSON.stringify([rules ?? null, mapping]);
    const shared = this.#byContent.get(content);
    if (shared !== undefined) return shared;
    this.#lastId += 1;
    const profile: ClientProfile = {
      id: this.#lastId,
      access: rules ? this.#accessOf(rules) : Access.ofTargets((mapping ?? []).map(({ target }) => target)),
      mapping,
      hasRules: rules !== undefined,
    };
    this.#byContent.set(content, profile);
    return profile;
  }

  #accessOf(rules: readonly AccessRule[]): Access {
    const content = JSON.stringify(rules);
    const access = this.#byRules.get(content) ?? Access.ofRules(rules);
    this.#byRules.set(content, access);
    return access;
  }
}

/** The profile of `host` as of the view, from what is kept if that is still right. */
export function profileAt(
  profiles: ClientProfiles,
  host: string | null,
  at: At & { readonly view: StateView },
): ClientProfile {
  if (host === null) return NO_PROFILE;
  return profiles.known(host, at) ?? profiles.load(at.view, host, at);
}
