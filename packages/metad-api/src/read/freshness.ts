import type { Version } from '@metad/kv-store';
import type { ApiRequest } from '../http/api-request.ts';
import { type Problem, unavailable } from '../http/problem.ts';
import { type Consistency, readConsistency, readMinVersion } from '../http/query-options.ts';
import type { Replica } from '../replica.ts';
import type { CatchUp } from '../wait/catch-up.ts';
import type { ChangeFeed } from '../wait/change-feed.ts';

/** Makes sure that what is read next is as new as a request asks for. */
export class Freshness {
  readonly #replica: Replica;
  readonly #feed: ChangeFeed;
  readonly #catchUp: CatchUp;

  constructor(replica: Replica, feed: ChangeFeed, catchUp: CatchUp) {
    this.#replica = replica;
    this.#feed = feed;
    this.#catchUp = catchUp;
  }

  /** Why this node can't answer a read at all now: it might say "not found" of what it has yet to receive. */
  findProblem(): Problem | null {
    const { caughtUp, quarantine } = this.#replica.status();
    if (quarantine) return unavailable('this node is quarantined: ask another one');
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
    const stale = await this.#ensureCurrent(consistency.value);
    if (stale !== null || minVersion.value === null) return stale;
    return this.#ensureVersion(minVersion.value, request);
  }

  async #ensureCurrent(consistency: Consistency): Promise<Problem | null> {
    if (consistency === 'local') return this.findProblem();
    const barrier = await this.#replica.readBarrier();
    if (barrier.type === 'unavailable') return unavailable(barrier.message);
    // The state may be ahead of the changes that were delivered: from here on its version is known.
    this.#feed.read(() => undefined);
    return null;
  }

  async #ensureVersion(version: Version, request: ApiRequest): Promise<Problem | null> {
    const reached = await this.#catchUp.reaches(version, (listener) => request.onGone(listener));
    return reached ? null : unavailable(`this node has not reached version ${version} yet`);
  }
}
