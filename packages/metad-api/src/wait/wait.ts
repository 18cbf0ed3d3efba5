import type { Change, StateView, Version } from '@metad/kv-store';
import type { ClientProfile } from '../access/client-profile.ts';
import { type ClientProfiles, profileAt } from '../access/client-profiles.ts';
import { readMetadata } from '../read/metadata-read.ts';
import { sameFound } from '../render/found.ts';
import type { ChangeFeed } from './change-feed.ts';
import type { NamedChange } from './change-window.ts';
import { type Clock, Deadlines } from './deadlines.ts';
import { dependsOnMapping, mappingPart, scopeOf } from './query-scope.ts';
import { type WaitEnd, Waiter } from './waiter.ts';
import { WaiterIndex } from './waiter-index.ts';

export interface WaitRequest {
  /** Null for a client that cannot be identified: nothing will ever show to it. */
  readonly host: string | null;
  readonly path: string;
  /** The version that the client has seen; null for the current one. Not newer than what the feed knows. */
  readonly since: Version | null;
  readonly timeoutMs: number;
  /** Calls `listener` when the client has gone, until the returned function is called. */
  onGone(listener: () => void): () => void;
}

/** A wait that is about to begin, in the transaction in which it is compared. */
interface Query {
  readonly view: StateView;
  readonly version: Version;
  readonly since: Version;
  readonly host: string | null;
  readonly path: string;
  readonly profile: ClientProfile;
}

/** As many waiters are released in one turn of the event loop; each of them reads and renders. */
const MAX_RELEASED_PER_TURN = 256;

/**
 * Holds requests until what they would answer may have changed.
 *
 * Nothing is missed: a waiter is registered in the same synchronous turn in which it is compared with all changes that
 * were delivered, and every later one is delivered to it. Where it can't be known what changed, it ends.
 */
export class Waiters {
  readonly #feed: ChangeFeed;
  readonly #profiles: ClientProfiles;
  readonly #maxWaiters: number;
  readonly #all = new Set<Waiter>();
  readonly #index = new WaiterIndex<Waiter>();
  readonly #deadlines: Deadlines<Waiter>;
  #released: (() => void)[] = [];
  #isStopped = false;

  constructor(options: {
    readonly feed: ChangeFeed;
    readonly profiles: ClientProfiles;
    readonly maxWaiters: number;
    readonly clock: Clock;
  }) {
    this.#feed = options.feed;
    this.#profiles = options.profiles;
    this.#maxWaiters = options.maxWaiters;
    this.#deadlines = new Deadlines(options.clock, (waiter) => this.#end(waiter, 'timedOut'));
    options.feed.listen((changes) => this.#deliver(changes));
  }

  get count(): number {
    return this.#all.size;
  }

  get isFull(): boolean {
    return this.#all.size >= this.#maxWaiters;
  }

  /** Must not be called when full. */
  async wait(request: WaitRequest): Promise<WaitEnd> {
    if (this.#isStopped) return 'stopped';
    const { host, path } = request;
    const { profile, version, since, hasMissed } = this.#compare(request);
    if (hasMissed) return 'changed';
    let leave = (): void => undefined;
    const end = await new Promise<WaitEnd>((resolve) => {
      const waiter = new Waiter({ host, path, since, profile, profileFirstReadAt: version, end: resolve });
      this.#all.add(waiter);
      this.#index.add(waiter);
      this.#deadlines.add(waiter, request.timeoutMs);
      leave = request.onGone(() => this.#end(waiter, 'gone'));
    });
    leave();
    return end;
  }

  /** Ends all waits, and every later one at once. */
  stop(): void {
    this.#isStopped = true;
    for (const waiter of [...this.#all]) this.#end(waiter, 'stopped');
  }

  /** Reads what the client sees by now, and whether it has missed something since its version. */
  #compare({ host, path, since: seen }: WaitRequest): {
    readonly profile: ClientProfile;
    readonly version: Version;
    readonly since: Version;
    readonly hasMissed: boolean;
  } {
    return this.#feed.read((view, version) => {
      const since = seen ?? this.#feed.version;
      const profile = profileAt(this.#profiles, host, {
        view,
        version,
        changesKnownTo: this.#feed.deliveredVersion,
      });
      const hasMissed =
        !this.#feed.covers(since) || this.#hasMissed({ view, version, since, host, path, profile });
      return { profile, version, since, hasMissed };
    });
  }

  /** Whether something that was delivered after `since` concerns the client, or it can't be known. */
  #hasMissed(query: Query): boolean {
    const { since, host, path, profile } = query;
    const ownChanged = this.#feed.someChangeAfter(
      since,
      (change) =>
        change.type !== 'data' &&
        host !== null &&
        change.hosts.includes(host) &&
        (change.type === 'rules' || dependsOnMapping(profile, path)),
    );
    const before = ownChanged ? this.#profileBefore(query) : profile;
    if (before === null) return true;
    const scopes = (before === profile ? [profile] : [before, profile]).map((one) => scopeOf(one, path));
    const dataChanged = this.#feed.someChangeAfter(
      since,
      (change) =>
        change.type === 'data' &&
        change.paths.some((changed) => scopes.some((scope) => scope.shows(changed))),
    );
    return dataChanged || (before !== profile && showsOtherwise(query.view, path, [before, profile]));
  }

  /** The client's profile at `since`; null when it can't be known, or not be compared with the present one. */
  #profileBefore({ since, host, version }: Query): ClientProfile | null {
    // The data may have changed in a way that is not delivered yet: the old profile must not be asked about it.
    if (host === null || version > this.#feed.deliveredVersion) return null;
    return this.#profiles.earlier(host, since);
  }

  #deliver(changes: readonly Change[]): void {
    for (const change of changes) {
      if (this.#all.size === 0) return;
      switch (change.type) {
        case 'data':
          for (const path of change.paths) this.#deliverPath(path, change.version);
          break;
        case 'mapping':
        case 'rules':
          for (const host of change.hosts) this.#deliverHost(host, change);
          break;
        case 'reset':
          for (const waiter of [...this.#all]) this.#end(waiter, 'changed');
          break;
      }
    }
  }

  #deliverPath(path: string, version: Version): void {
    this.#index.eachInterestedIn(path, (waiter) => {
      if (version > waiter.since && waiter.shows(path)) this.#end(waiter, 'changed');
    });
  }

  #deliverHost(host: string, change: NamedChange): void {
    for (const waiter of this.#index.ofHost(host)) {
      if (change.version <= waiter.since) continue;
      if (change.type === 'mapping' && !dependsOnMapping(waiter.profile, waiter.path)) continue;
      if (change.version <= waiter.profileFirstReadAt || this.#isEndedBy(waiter, host, change.version)) {
        this.#end(waiter, 'changed');
      }
    }
  }

  /**
   * Whether a change of the rules or the mapping of its host ends a wait: if what the waiter shows under its old and its
   * present profile is the same, it goes on under the present one.
   */
  #isEndedBy(waiter: Waiter, host: string, changed: Version): boolean {
    const { path, profile: old } = waiter;
    const present = this.#feed.read((view, version) => {
      const place = { view, version, changesKnownTo: this.#feed.deliveredVersion };
      const profile = profileAt(this.#profiles, host, place);
      if (profile.id === old.id) return old;
      // The data may have changed after the profile: the old profile must not be asked about data that it never saw.
      return version > changed || showsOtherwise(view, path, [old, profile]) ? null : profile;
    });
    if (present === null) return true;
    if (present !== old) {
      this.#index.delete(waiter);
      waiter.adopt(present);
      this.#index.add(waiter);
    }
    return false;
  }

  #end(waiter: Waiter, end: WaitEnd): void {
    if (!this.#all.delete(waiter)) return;
    this.#index.delete(waiter);
    this.#deadlines.delete(waiter);
    this.#released.push(() => waiter.end(end));
    if (this.#released.length === 1) queueMicrotask(() => this.#release());
  }

  #release(): void {
    const batch = this.#released.slice(0, MAX_RELEASED_PER_TURN);
    for (const release of batch) release();
    this.#released = this.#released.slice(batch.length);
    if (this.#released.length > 0) setImmediate(() => this.#release());
  }
}

/** Whether a client with one profile is answered otherwise than one with the other. */
function showsOtherwise(
  view: StateView,
  path: string,
  [one, other]: readonly [ClientProfile, ClientProfile],
): boolean {
  if (one.id === other.id) return false;
  if (mappingPart(one, path) !== mappingPart(other, path)) return true;
  return !sameFound(readMetadata(view, one, path), readMetadata(view, other, path));
}
