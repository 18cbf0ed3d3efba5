import type { Version } from '@metad/kv-store';
import type { ApiRequest } from '../http/api-request.ts';
import { type Problem, unavailable } from '../http/problem.ts';
import { type Consistency, readConsistency, readMaxLagMs, readMinVersion } from '../http/query-options.ts';
import type { Replica } from '../replica.ts';
import type { CatchUp } from '../wait/catch-up.ts';
import type { ChangeFeed } from '../wait/change-feed.ts';
import type { Clock } from '../wait/deadlines.ts';
import type { WaitEnd } from '../wait/waiter.ts';

/** A read barrier that is on its way. */
interface Proof {
  readonly begunAt: number;
  readonly outcome: Promise<Problem | null>;
}

/** Makes sure that what is read next is as new as a request asks for. */
export class Freshness {
  readonly #replica: Replica;
  readonly #feed: ChangeFeed;
  readonly #catchUp: CatchUp;
  readonly #clock: Clock;
  /** All that was committed anywhere before this time shows here. */
  #provenAt = Number.NEGATIVE_INFINITY;
  #proof: Proof | null = null;

  constructor(parts: {
    readonly replica: Replica;
    readonly feed: ChangeFeed;
    readonly catchUp: CatchUp;
    readonly clock: Clock;
  }) {
    this.#replica = parts.replica;
    this.#feed = parts.feed;
    this.#catchUp = parts.catchUp;
    this.#clock = parts.clock;
  }

  /** Why this node can't answer a read at all now: it might say "not found" of what it has yet to receive. */
  findProblem(): Problem | null {
    const { caughtUp, quarantine, removal } = this.#replica.status();
    if (quarantine) return unavailable('this node is quarantined: ask another one');
    if (removal) return unavailable('this node was removed from its cluster: ask another one');
    return caughtUp ? null : unavailable('this node has not caught up yet');
  }

  /** Waits until this node's state is as new as asked for; what went wrong, or null. */
  async ensure(
    request: ApiRequest,
    query: URLSearchParams | null,
    standard: Consistency,
  ): Promise<Problem | null> {
    const consistency = readConsistency(query, standard);
    if (consistency.type === 'problem') return consistency.problem;
    const minVersion = readMinVersion(query, request.header('x-metad-version'));
    if (minVersion.type === 'problem') return minVersion.problem;
    const maxLagMs = readMaxLagMs(query);
    if (maxLagMs.type === 'problem') return maxLagMs.problem;
    const stale =
      consistency.value === 'linearizable'
        ? await this.#prove().outcome
        : await this.ensureLag(maxLagMs.value);
    if (stale !== null || minVersion.value === null) return stale;
    return this.ensureVersion(minVersion.value, request, consistency.value);
  }

  /**
   * Waits until this node has come to a version that a request names, for a bounded time; what went wrong, or null. After
   * the barrier of a linearizable request all versions that it can have seen are here: for another one nobody waits.
   */
  async ensureVersion(
    version: Version,
    request: ApiRequest,
    consistency: Consistency,
  ): Promise<Problem | null> {
    const newest = this.#feed.version;
    if (consistency === 'linearizable' && version > newest) {
      return unavailable(`there is no version ${version} yet: the newest is ${newest}`);
    }
    const outcome = await this.#catchUp.reaches(version, {
      address: request.peerAddress ?? '',
      onGone: (listener) => request.onGone(listener),
    });
    if (outcome === 'reached') return null;
    return outcome === 'stopped'
      ? unavailable('this node is stopping')
      : unavailable(`this node has not reached version ${version} yet`);
  }

  /**
   * What `ensure` made sure of, once more at the end of a wait, as much may have happened to this node meanwhile. A change
   * that ends a wait came after the request, so what shows then is linearizable; but nothing may have come because this
   * node is cut off, so at a time-out a read barrier has to tell.
   */
  ensureAfterWait(
    query: URLSearchParams,
    end: Extract<WaitEnd, 'changed' | 'timedOut'>,
  ): Problem | null | Promise<Problem | null> {
    const consistency = readConsistency(query, 'local');
    if (consistency.type === 'problem') return consistency.problem;
    const maxLagMs = readMaxLagMs(query);
    if (maxLagMs.type === 'problem') return maxLagMs.problem;
    const needsBarrier = consistency.value === 'linearizable' && end === 'timedOut';
    return needsBarrier ? this.#prove().outcome : this.ensureLag(maxLagMs.value);
  }

  /**
   * Makes sure that all that was committed anywhere `maxLagMs` ago shows here; null: that this node may be read at all.
   * A read barrier tells, and it holds for all who come within that time: no clock of another node is believed, and
   * nobody who doesn't ask pays for it.
   */
  ensureLag(maxLagMs: number | null): Problem | null | Promise<Problem | null> {
    const problem = this.findProblem();
    if (problem !== null || maxLagMs === null) return problem;
    const oldest = this.#clock.now() - maxLagMs;
    if (this.#provenAt >= oldest) return null;
    if (!this.#replica.status().hasLeader) return unavailable(`this node is more than ${maxLagMs} ms behind`);
    return (this.#proof !== null && this.#proof.begunAt >= oldest ? this.#proof : this.#prove()).outcome;
  }

  #prove(): Proof {
    const begunAt = this.#clock.now();
    const outcome = this.#passBarrier(begunAt).finally(() => {
      if (this.#proof === proof) this.#proof = null;
    });
    const proof: Proof = { begunAt, outcome };
    this.#proof = proof;
    return proof;
  }

  async #passBarrier(begunAt: number): Promise<Problem | null> {
    const barrier = await this.#replica.readBarrier();
    if (barrier.type === 'unavailable') return unavailable(barrier.message);
    this.#provenAt = Math.max(this.#provenAt, begunAt);
    // The state may be ahead of the changes that were delivered: from here on its version is known.
    this.#feed.read(() => undefined);
    return null;
  }
}
