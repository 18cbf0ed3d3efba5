import {
  type Covered,
  type SimulationResult,
  type StoreFactory,
  simulate,
} from '@metad/raft-core/simulation';
import { expect, test } from 'vitest';
import { openFileStore } from './file-store.ts';

const SEEDS = 24;
/** Short, and with as much to do for the disk as may be. */
const PROFILE = {
  ticks: 180,
  compactionTicks: 8,
  troubles: { crashWithinTurn: 0.002, stallWithinTurn: 0.05 },
};

/** Notes behind which steps of the store's calls a process came to its end. */
function notingEnds(ends: Set<string>): StoreFactory {
  return (node, formed, { random, reached }) =>
    openFileStore(node, formed, {
      random,
      reached: (step, keep) =>
        reached(step, () => {
          ends.add(step);
          keep();
        }),
    });
}

test('whole nodes on real files keep all promises, whatever crashes when', () => {
  const ends = new Set<string>();
  const results: SimulationResult[] = [];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    results.push(simulate({ seed, store: notingEnds(ends), profile: PROFILE }));
  }
  expect(results.flatMap(({ seed, failure }) => (failure === null ? [] : [{ seed, failure }]))).toEqual([]);
  const count = (kind: Covered) => results.reduce((sum, { coverage }) => sum + coverage.count(kind), 0);
  expect(count('snapshot installed')).toBeGreaterThan(5);
  expect(count('compaction')).toBeGreaterThan(100);
  expect(count('crash')).toBeGreaterThan(50);
  expect(count('power loss')).toBeGreaterThan(30);
  expect(count('disk wiped')).toBeGreaterThan(5);
  expect(count('write acknowledged')).toBeGreaterThan(300);
  expect(ends.size, [...ends].join()).toBeGreaterThan(4);
});

test('the same seed makes the same run on files, byte for byte', () => {
  const run = (seed: number) => simulate({ seed, store: openFileStore, profile: PROFILE, trace: true });
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { coverage, trace } = run(seed);
    if (coverage.count('snapshot installed') === 0 || coverage.count('power loss') === 0) continue;
    expect(run(seed).trace).toEqual(trace);
    return;
  }
  expect.fail('no seed covers what could make a difference');
});
