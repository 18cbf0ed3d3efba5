import { Coverage, simulate } from '@metad/raft-core/simulation';
import { describe, expect, test } from 'vitest';

/** METAD_SEEDS=10000 runs more of them, on one core; `npm run simulate -- --seeds 10000` on all. */
const SEEDS = Number(process.env.METAD_SEEDS ?? 400);
const AT_ONCE = 100;

describe('clusters under faults', () => {
  const covered = new Coverage();

  for (let first = 1; first <= SEEDS; first += AT_ONCE) {
    const last = Math.min(SEEDS, first + AT_ONCE - 1);
    test(`seeds ${first} to ${last} keep every promise, then recover`, { timeout: 600_000 }, () => {
      for (let seed = first; seed <= last; seed += 1) {
        const { failure, coverage } = simulate({ seed });
        expect(failure, `npm run simulate -- --seed ${seed} --trace`).toBeNull();
        covered.add(coverage);
      }
    });
  }

  test('the runs have met every kind of event', () => {
    expect(covered.missing()).toEqual([]);
  });
});

describe('a seed', () => {
  test.each([3, 17, 42])('%i gives the same trace twice, byte for byte', (seed) => {
    const [one, other] = [simulate({ seed, trace: true }), simulate({ seed, trace: true })];
    expect(one.trace.length).toBeGreaterThan(1000);
    expect(one.trace.join('\n')).toBe(other.trace.join('\n'));
  });

  test('the trace changes nothing', () => {
    const [told, silent] = [simulate({ seed: 5, trace: true }), simulate({ seed: 5 })];
    expect(told.coverage.counts()).toEqual(silent.coverage.counts());
    expect(silent.trace).toEqual([]);
  });

  test('another one gives another run', () => {
    const [one, other] = [simulate({ seed: 1, trace: true }), simulate({ seed: 2, trace: true })];
    expect(one.trace.slice(0, 200)).not.toEqual(other.trace.slice(0, 200));
  });
});
