import { COVERED } from '@metad/raft-core/simulation';
import type { SeedResult } from './seed-pool.ts';

/** What many runs have met together. */
export class Tally {
  readonly #counts = new Map<string, number>();
  readonly #failures: SeedResult[] = [];
  seeds = 0;
  nodeTicks = 0;

  add(result: SeedResult): void {
    this.seeds += 1;
    this.nodeTicks += result.nodeTicks;
    if (result.failure !== null) this.#failures.push(result);
    for (const [kind, count] of Object.entries(result.counts)) {
      this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + count);
    }
  }

  get failures(): readonly SeedResult[] {
    return this.#failures.toSorted((a, b) => a.seed - b.seed);
  }

  counts(): readonly (readonly [kind: string, count: number])[] {
    return COVERED.map((kind) => [kind, this.#counts.get(kind) ?? 0]);
  }

  /** The kinds of event that no run has met. */
  missing(): string[] {
    return this.counts().flatMap(([kind, count]) => (count === 0 ? [kind] : []));
  }

  /** Which checks have failed, with in how many seeds. */
  caughtBy(): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    for (const { failure } of this.failures) {
      if (failure !== null) found.set(failure.invariant, (found.get(failure.invariant) ?? 0) + 1);
    }
    return found;
  }
}
