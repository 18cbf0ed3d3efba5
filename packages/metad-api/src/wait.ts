import type { Change, Version } from '@metad/kv-store';
import type { ChangeFeed } from './change-feed.ts';
import type { NamedChange } from './change-window.ts';
import { type ClientProfile, type ClientProfiles, profileAt } from './client-profile.ts';
import { type Clock, Deadlines } from './deadlines.ts';
import { sameFound } from './found.ts';
import { readMetadata } from './metadata-read.ts';
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
    const [profile, version] = this.#profileOf(host);
    const since = request.since ?? this.#feed.version;
    if (this.#hasMissed(since, { host, path, profile })) return 'changed';
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

  #profileOf(host: string | null): [ClientProfile, Version] {
    return this.#feed.read((view, version) => [
      profileAt(this.#profiles, host, { view, version, changesKnownTo: this.#feed.deliveredVersion }),
      version,
    ]);
  }

  /** Whether something that was delivered after `since` concerns the client, or it can't be known. */
  #hasMissed(since: Version, query: { host: string | null; path: string; profile: ClientProfile }): boolean {
    if (!this.#feed.covers(since)) return true;
    const { host, path, profile } = query;
    const scope = scopeOf(profile, path);
    return this.#feed.someChangeAfter(since, (change: NamedChange) => {
      if (change.type === 'data') return change.paths.some((changed) => scope.shows(changed));
      if (host === null || !change.hosts.includes(host)) return false;
      return change.type === 'rules' || dependsOnMapping(profile, path);
    });
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
      if (change.version <= waiter.profileFirstReadAt || this.#showsOtherwise(waiter, host, change.version)) {
        this.#end(waiter, 'changed');
      }
    }
  }

  /**
   * Compares what the waiter shows under its old and its present profile; when that is the same, it goes on under the
   * present one.
   */
  #showsOtherwise(waiter: Waiter, host: string, changed: Version): boolean {
    const { path, profile: old } = waiter;
    const present = this.#feed.read((view, version) => {
      const place = { view, version, changesKnownTo: this.#feed.deliveredVersion };
      const profile = profileAt(this.#profiles, host, place);
      if (profile.id === old.id) return old;
      // The data may have changed after the profile: the old profile must not be asked about data that it never saw.
      if (version > changed || mappingPart(old, path) !== mappingPart(profile, path)) return null;
      return sameFound(readMetadata(view, old, path), readMetadata(view, profile, path)) ? profile : null;
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
