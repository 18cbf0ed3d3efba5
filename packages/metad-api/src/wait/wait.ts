import { type Change, type StateView, type Version, version } from '@metad/kv-store';
import { type ClientProfile, NO_PROFILE } from '../access/client-profile.ts';
import { type ClientProfiles, profileAt } from '../access/client-profiles.ts';
import { LOOK_LEAVES } from '../steps.ts';
import type { ChangeFeed } from './change-feed.ts';
import type { NamedChange } from './change-window.ts';
import { type Clock, Deadlines } from './deadlines.ts';
import { ProfileComparison } from './profile-comparison.ts';
import { dependsOnMapping } from './query-scope.ts';
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

/** What a decision takes besides the leaves that are compared: above all, reading the rules and the mapping. */
const LEAVES_PER_DECISION = 4 * LOOK_LEAVES;

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
  /** Those who are undecided, and the last version before the rules or the mapping of their host changed. */
  readonly #undecided = new Map<Waiter, Version>();
  #isDeciding = false;
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
    const all = [...this.#index.all(), ...this.#undecided.keys(), ...this.#delayed];
    for (const waiter of all) this.end(waiter, 'stopped');
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
    const comparison = new ProfileComparison(query.view, this.#feed);
    return comparison.seesOtherwise({ path, since, before, after: profile });
  }

  /** The client's profile at `since`; null when it can't be known, or not be compared with the present one. */
  #profileBefore({ since, host, version }: Query): ClientProfile | null {
    // The data may have changed in a way that is not delivered yet: the old profile must not be asked about it.
    if (host === null || version > this.#feed.deliveredVersion) return null;
    return this.#profiles.earlier(host, since);
  }

  #deliver(changes: readonly Change[]): void {
    for (const change of hostsFirst(changes)) {
      switch (change.type) {
        case 'data':
          for (const path of change.paths) this.#deliverPath(path, change.version);
          break;
        case 'mapping':
        case 'rules':
          for (const host of change.hosts) this.#deliverHost(host, change);
          break;
        case 'reset':
          for (const waiter of [...this.#index.all(), ...this.#undecided.keys()]) this.#change(waiter);
          break;
      }
    }
    if (this.#undecided.size > 0 && !this.#isDeciding) this.#decide();
  }

  #deliverPath(path: string, version: Version): void {
    this.#index.eachShown(path, (waiter) => {
      if (version > waiter.since) this.#change(waiter);
    });
  }

  #deliverHost(host: string, change: NamedChange): void {
    for (const waiter of this.#index.ofHost(host)) {
      if (change.version <= waiter.since) continue;
      if (change.type === 'mapping' && !dependsOnMapping(waiter.profile, waiter.path)) continue;
      if (change.version <= waiter.profileFirstReadAt) {
        this.#change(waiter);
        continue;
      }
      this.#index.delete(waiter);
      waiter.state = 'undecided';
      this.#undecided.set(waiter, version(change.version - 1));
    }
  }

  /**
   * Takes about one step of comparing what those who are undecided saw under their old profiles with what they see now;
   * others follow in later turns, as one write may concern all hosts. Nothing is missed by then: meanwhile they are told of
   * no change, and all since the one that made them undecided, its version included, are looked up with the comparison.
   */
  #decide(): void {
    this.#feed.read((view, version) => {
      // What the view shows ahead of the delivered changes can't be told from what the profile makes of it.
      if (version > this.#feed.deliveredVersion) return;
      const comparison = new ProfileComparison(view, this.#feed);
      for (const [waiter, since] of this.#undecided) {
        const profile = profileAt(this.#profiles, waiter.host, { view, version, changesKnownTo: version });
        const { path, profile: before } = waiter;
        const look = { path, since, before, after: profile };
        if (!this.#feed.covers(since) || comparison.seesOtherwise(look)) this.#change(waiter);
        else this.#parkAgain(waiter, profile);
        comparison.count(LEAVES_PER_DECISION);
        if (comparison.isStepFull) break;
      }
    });
    this.#isDeciding = this.#undecided.size > 0;
    if (this.#isDeciding) setImmediate(() => this.#decide());
  }

  #parkAgain(waiter: Waiter, profile: ClientProfile): void {
    this.#undecided.delete(waiter);
    waiter.state = 'parked';
    waiter.profile = profile;
    this.#index.add(waiter);
  }

  /** The client is to be answered, now or after a random part of its jitter. */
  #change(waiter: Waiter): void {
    if (waiter.state === 'delayed' || waiter.state === 'ended') return;
    if (waiter.jitterMs === 0) {
      this.end(waiter, 'changed');
      return;
    }
    this.#remove(waiter);
    waiter.state = 'delayed';
    this.#delayed.add(waiter);
    this.#deadlines.delete(waiter);
    const delayMs = this.#random() * waiter.jitterMs;
    this.#deadlines.add(waiter, Math.min(delayMs, waiter.expiresAt - this.#clock.now()));
  }

  /** Ends one wait, if it has not ended yet. */
  end(waiter: Waiter, end: WaitEnd): void {
    if (waiter.state === 'ended') return;
    this.#remove(waiter);
    waiter.state = 'ended';
    this.#deadlines.delete(waiter);
    this.#tellLater(waiter, end);
  }

  /** From among those that are in its state. */
  #remove(waiter: Waiter): void {
    if (waiter.state === 'parked') this.#index.delete(waiter);
    else if (waiter.state === 'undecided') this.#undecided.delete(waiter);
    else this.#delayed.delete(waiter);
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
 * One version may change data and rules together: then its data are compared along with its rules, for what comes where
 * the client no longer looks is none of its business.
 */
function hostsFirst(changes: readonly Change[]): readonly Change[] {
  if (changes.every((change) => change.type === 'data')) return changes;
  const rank = ({ type }: Change): number => (type === 'data' ? 1 : 0);
  return [...changes].sort((a, b) => a.version - b.version || rank(a) - rank(b));
}
