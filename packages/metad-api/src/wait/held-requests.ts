import { type Problem, tooManyRequests, unavailable } from '../http/problem.ts';

export interface HeldRequestLimits {
  readonly maxWaiters: number;
  /** 0: no limit. */
  readonly maxWaitersPerAddress: number;
}

/** Counts what is held open, so that neither all together nor one client can take everything. */
export class HeldRequests {
  readonly #maxHeld: number;
  readonly #maxPerClient: number;
  readonly #byClient = new Map<string, number>();
  #count = 0;

  constructor(limits: HeldRequestLimits) {
    this.#maxHeld = limits.maxWaiters;
    this.#maxPerClient = limits.maxWaitersPerAddress || Number.POSITIVE_INFINITY;
  }

  get count(): number {
    return this.#count;
  }

  /** Counts one more of this client, to be released once; or says why not. */
  hold(client: string): Problem | null {
    const own = this.#byClient.get(client) ?? 0;
    if (own >= this.#maxPerClient) return tooManyRequests('too many requests of this address are waiting');
    if (this.#count >= this.#maxHeld) return unavailable('too many requests are waiting');
    this.#byClient.set(client, own + 1);
    this.#count += 1;
    return null;
  }

  release(client: string): void {
    const own = this.#byClient.get(client) ?? 0;
    if (own > 1) this.#byClient.set(client, own - 1);
    else this.#byClient.delete(client);
    this.#count -= 1;
  }
}
