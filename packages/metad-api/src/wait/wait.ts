import type { Change, StateView, Version } from '@metad/kv-store';
import { type ClientProfile, NO_PROFILE } from '../access/client-profile.ts';
import { type ClientProfiles, profileAt } from '../access/client-profiles.ts';
import { readMetadataAtOnce } from '../read/metadata-read.ts';
import { sameFound } from '../render/found.ts';
import type { ChangeFeed } from './change-feed.ts';
import type { NamedChange } from './change-window.ts';
import { type Clock, Deadlines } from './deadlines.ts';
import { dependsOnMapping, mappingPart, scopeOf } from './query-scope.ts';
import { type EndListener, type WaitEnd, Waiter } from './waiter.ts';
import { WaiterIndex } from './waiter-index.ts';

interface WaitQuery {
  /** Null for a client that cannot be identified: nothing will ever show to it. */
  readonly host: string | null;
  readonly path: string;
  /** The version that the client has seen; null for the current one. Not newer than what the feed knows. */
  readonly since: Version | null;
}

/** Its `onEnd` is called in a later turn, if the request is held. */
export interface WaitRequest extends WaitQuery, EndListener {
  /** `Infinity`: it does not end by itself. */
  readonly timeoutMs: number;
  /** Over how long the answer to a change may be delayed, by chance: of many that wait for it, few come back at once. */
  readonly jitterMs: number;
}

interface Comparison {
  readonly profile: ClientProfile;
  /** Where the profile was read. */
  readonly version: Version;
  readonly since: Version;
  readonly hasMissed: boolean;
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

/** As many waiters are told in one turn of the event loop; each of them reads and renders. */
const MAX_TOLD_PER_TURN = 64;

/**
 * Holds requests until what they would answer may have changed.
 *
 * Nothing is missed: a waiter is registered in the same synchronous turn in which it is compared with all changes that
 * were delivered, and every later one is delivered to it. Where it can't be known what changed, it ends.
 */
export class Waiters {
  readonly #feed: ChangeFeed;
  readonly #profiles: ClientProfiles;
  readonly #clock: Clock;
  readonly #random: () => number;
  /** Those who are parked. */
  readonly #index = new WaiterIndex<Waiter>();
  /** Those whose answer is on its way. */
  readonly #delayed = new Set<Waiter>();
  readonly #deadlines: Deadlines<Waiter>;
  /** Those whose wait has ended, in the portions in which they will be told. */
  readonly #portions: [waiter: Waiter, end: WaitEnd][][] = [];
  #isTelling = false;
  #isStopped = false;

  constructor(options: {
    readonly feed: ChangeFeed;
    readonly profiles: ClientProfiles;
    readonly clock: Clock;
    /** From 0 up to, but not including, 1. */
    readonly random: () => number;
  }) {
    this.#feed = options.feed;
    this.#profiles = options.profiles;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#deadlines = new Deadlines(options.clock, (waiter) => {
      this.end(waiter, waiter.state === 'delayed' ? 'changed' : 'timedOut');
    });
    options.feed.listen((changes) => this.#deliver(changes));
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Holds a request, unless it is to be answered at once: then how its wait has ended. */
  hold(request: WaitRequest): Waiter | WaitEnd {
    if (this.#isStopped) return 'stopped';
    const { profile, version: profileFirstReadAt, since, hasMissed } = this.#compare(request);
    if (hasMissed) return 'changed';
    const { host, path, jitterMs, timeoutMs } = request;
    const expiresAt = this.#clock.now() + timeoutMs;
    const waiter = new Waiter({
      host,
      path,
      since,
      profile,
      profileFirstReadAt,
      expiresAt,
      jitterMs,
      listener: request,
    });
    this.#index.add(waiter);
    if (timeoutMs < Number.POSITIVE_INFINITY) this.#deadlines.add(waiter, timeoutMs);
    return waiter;
  }

  /** Whether what the client sees may have changed since that version; false only when it is known. */
  maySeeOtherwise(query: WaitQuery & { readonly since: Version }): boolean {
    const { version, hasMissed } = this.#compare(query);
    // What is not delivered yet may concern it.
    return hasMissed || (version > this.#feed.deliveredVersion && version > query.since);
  }

  /** Ends all waits, and every later one at once. */
  stop(): void {
    this.#isStopped = true;
    for (const waiter of [...this.#index.all(), ...this.#delayed]) this.end(waiter, 'stopped');
  }

  /** What the client sees by now, and whether it has missed something since its version. */
  #compare(query: WaitQuery): Comparison {
    return (
      this.#compareWithNewest(query) ??
      this.#feed.read((view, version) => this.#compareIn(view, version, query))
    );
  }

  /** Most who wait have seen the newest version: there is nothing to look up for them. */
  #compareWithNewest({ host, since }: WaitQuery): Comparison | null {
    const { version, deliveredVersion: changesKnownTo } = this.#feed;
    if (version !== changesKnownTo || (since !== null && since !== version)) return null;
    const profile = host === null ? NO_PROFILE : this.#profiles.known(host, { version, changesKnownTo });
    return profile && { profile, version, since: version, hasMissed: false };
  }

  #compareIn(view: StateView, version: Version, { host, path, since: seen }: WaitQuery): Comparison {
    // The version of this very transaction, and no newer one: the profile belongs to it.
    const since = seen ?? version;
    const changesKnownTo = this.#feed.deliveredVersion;
    const profile = profileAt(this.#profiles, host, { view, version, changesKnownTo });
    const hasMissed =
      !this.#feed.covers(since) || this.#hasMissed({ view, version, since, host, path, profile });
    return { profile, version, since, hasMissed };
  }

  /** Whether something that was delivered after `since` concerns the client, or it can't be known. */
  #hasMissed(query: Query): boolean {
    const { since, host, path, profile } = query;
    const ownChanged =
      host !== null &&
      this.#feed.latest.concernsHost(host, since) &&
      this.#feed.someChangeAfter(
        since,
        (change) =>
          change.type !== 'data' &&
          change.hosts.includes(host) &&
          (change.type === 'rules' || dependsOnMapping(profile, path)),
      );
    const before = ownChanged ? this.#profileBefore(query) : profile;
    if (before === null) return true;
    const scopes = (before === profile ? [profile] : [before, profile]).map((one) => scopeOf(one, path));
    const dataChanged =
      scopes.some(({ interests }) => this.#feed.latest.concernsPaths(interests, since)) &&
      this.#feed.someChangeAfter(
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
    for (const change of dataFirst(changes)) {
      if (this.#index.isEmpty) return;
      switch (change.type) {
        case 'data':
          for (const path of change.paths) this.#deliverPath(path, change.version);
          break;
        case 'mapping':
        case 'rules':
          for (const host of change.hosts) this.#deliverHost(host, change);
          break;
        case 'reset':
          for (const waiter of this.#index.all()) this.#change(waiter);
          break;
      }
    }
  }

  #deliverPath(path: string, version: Version): void {
    this.#index.eachShown(path, (waiter) => {
      if (version > waiter.since) this.#change(waiter);
    });
  }

  #deliverHost(host: string, change: NamedChange): void {
    // One client may wait many times for the same.
    const verdicts = new Map<string, ClientProfile | null>();
    for (const waiter of this.#index.ofHost(host)) {
      const { profile, path } = waiter;
      if (change.version <= waiter.since) continue;
      if (change.type === 'mapping' && !dependsOnMapping(profile, path)) continue;
      if (change.version <= waiter.profileFirstReadAt) {
        this.#change(waiter);
        continue;
      }
      const key = profile.id + path;
      const known = verdicts.get(key);
      const verdict = known === undefined ? this.#successorOf(waiter, host, change.version) : known;
      verdicts.set(key, verdict);
      if (verdict === null) this.#change(waiter);
      else this.#adopt(waiter, verdict);
    }
  }

  /**
   * The profile under which a wait goes on after a change of the rules or the mapping of its host, if what it shows
   * under its old and its present profile is the same; null when the wait is over.
   */
  #successorOf({ path, profile: old }: Waiter, host: string, changed: Version): ClientProfile | null {
    return this.#feed.read((view, version) => {
      const place = { view, version, changesKnownTo: this.#feed.deliveredVersion };
      const profile = profileAt(this.#profiles, host, place);
      if (profile.id === old.id) return old;
      // The data may have changed after the profile: the old profile must not be asked about data that it never saw.
      return version > changed || showsOtherwise(view, path, [old, profile]) ? null : profile;
    });
  }

  #adopt(waiter: Waiter, profile: ClientProfile): void {
    if (profile === waiter.profile) return;
    this.#index.delete(waiter);
    waiter.profile = profile;
    this.#index.add(waiter);
  }

  /** The client is to be answered, now or after a random part of its jitter. */
  #change(waiter: Waiter): void {
    if (waiter.state !== 'parked') return;
    if (waiter.jitterMs === 0) {
      this.end(waiter, 'changed');
      return;
    }
    waiter.state = 'delayed';
    this.#delayed.add(waiter);
    this.#index.delete(waiter);
    this.#deadlines.delete(waiter);
    const delayMs = this.#random() * waiter.jitterMs;
    this.#deadlines.add(waiter, Math.min(delayMs, waiter.expiresAt - this.#clock.now()));
  }

  /** Ends one wait, if it has not ended yet. */
  end(waiter: Waiter, end: WaitEnd): void {
    if (waiter.state === 'ended') return;
    if (waiter.state === 'parked') this.#index.delete(waiter);
    else this.#delayed.delete(waiter);
    waiter.state = 'ended';
    this.#deadlines.delete(waiter);
    this.#tellLater(waiter, end);
  }

  #tellLater(waiter: Waiter, end: WaitEnd): void {
    const last = this.#portions.at(-1);
    if (last === undefined || last.length === MAX_TOLD_PER_TURN) this.#portions.push([[waiter, end]]);
    else last.push([waiter, end]);
    if (this.#isTelling) return;
    this.#isTelling = true;
    queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    for (const [waiter, end] of this.#portions.shift() ?? []) waiter.tell(end);
    this.#isTelling = this.#portions.length > 0;
    if (this.#isTelling) setImmediate(() => this.#tell());
  }
}

/**
 * One version may change data and rules together: then the data are compared under the profile that the client had
 * before. The new one may no longer tell that what is gone did show.
 */
function dataFirst(changes: readonly Change[]): readonly Change[] {
  if (changes.every((change) => change.type === 'data')) return changes;
  const rank = ({ type }: Change): number => (type === 'data' ? 0 : 1);
  return [...changes].sort((a, b) => a.version - b.version || rank(a) - rank(b));
}

/** Whether a client with one profile is answered otherwise than one with the other. */
function showsOtherwise(
  view: StateView,
  path: string,
  [one, other]: readonly [ClientProfile, ClientProfile],
): boolean {
  if (one.id === other.id) return false;
  if (mappingPart(one, path) !== mappingPart(other, path)) return true;
  const before = readMetadataAtOnce(view, one, path);
  const after = readMetadataAtOnce(view, other, path);
  // What is too much for one turn is not compared: an answer too many is harmless.
  return before === null || after === null || !sameFound(before, after);
}
