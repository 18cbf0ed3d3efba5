import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type NodeId, nodeId } from '../src/ids.ts';
import { type Configs, majority, reachedByQuorum, type VoteResult, voteResult } from '../src/quorum.ts';

const configsOf = (configs: readonly (readonly number[])[]): Configs => configs.map((one) => one.map(nodeId));

describe('committed index', () => {
  const table: { configs: number[][]; matched: Record<number, number>; expected: number }[] = [
    { configs: [[1]], matched: { 1: 7 }, expected: 7 },
    { configs: [[1]], matched: {}, expected: 0 },
    { configs: [[1, 2]], matched: { 1: 7, 2: 5 }, expected: 5 },
    { configs: [[1, 2, 3]], matched: { 1: 7, 2: 5, 3: 6 }, expected: 6 },
    { configs: [[1, 2, 3]], matched: { 1: 7 }, expected: 0 },
    { configs: [[1, 2, 3, 4]], matched: { 1: 9, 2: 9, 3: 4, 4: 1 }, expected: 4 },
    { configs: [[1, 2, 3, 4, 5]], matched: { 1: 9, 2: 8, 3: 7, 4: 6, 5: 5 }, expected: 7 },
    { configs: [[1, 2, 3], [4]], matched: { 1: 9, 2: 9, 3: 9, 4: 2 }, expected: 2 },
    { configs: [[1, 2, 3], [1]], matched: { 1: 9, 2: 3, 3: 1 }, expected: 3 },
    { configs: [], matched: { 1: 9 }, expected: Number.POSITIVE_INFINITY },
  ];
  test.each(table)('$configs with $matched: $expected', ({ configs, matched, expected }) => {
    expect(reachedByQuorum(configsOf(configs), (node) => matched[node] ?? 0)).toBe(expected);
  });
});

describe('vote', () => {
  const table: { configs: number[][]; votes: Record<number, boolean>; expected: VoteResult }[] = [
    { configs: [[1]], votes: {}, expected: 'pending' },
    { configs: [[1]], votes: { 1: true }, expected: 'won' },
    { configs: [[1, 2]], votes: { 1: true }, expected: 'pending' },
    { configs: [[1, 2]], votes: { 1: true, 2: false }, expected: 'lost' },
    { configs: [[1, 2, 3]], votes: { 1: true, 3: true }, expected: 'won' },
    { configs: [[1, 2, 3]], votes: { 1: true, 3: false }, expected: 'pending' },
    { configs: [[1, 2, 3, 4]], votes: { 1: true, 2: true, 3: false }, expected: 'pending' },
    { configs: [[1, 2, 3, 4]], votes: { 1: true, 2: true, 3: false, 4: false }, expected: 'lost' },
    {
      configs: [
        [1, 2, 3],
        [4, 5, 6],
      ],
      votes: { 1: true, 2: true, 4: true },
      expected: 'pending',
    },
    {
      configs: [
        [1, 2, 3],
        [4, 5, 6],
      ],
      votes: { 1: true, 2: true, 4: false, 5: false },
      expected: 'lost',
    },
    { configs: [[1, 2, 3]], votes: { 7: true, 8: true, 9: true }, expected: 'pending' },
  ];
  test.each(table)('$configs with $votes: $expected', ({ configs, votes, expected }) => {
    expect(voteResult(configsOf(configs), (node) => votes[node])).toBe(expected);
  });
});

/** Asks every subset of the voters instead of sorting. */
function naiveReached(config: readonly NodeId[], reached: (node: NodeId) => number): number {
  let best = config.length === 0 ? Number.POSITIVE_INFINITY : 0;
  for (let subset = 0; subset < 2 ** config.length; subset += 1) {
    const chosen = config.filter((_, i) => (subset >> i) & 1);
    if (chosen.length * 2 > config.length) best = Math.max(best, Math.min(...chosen.map(reached)));
  }
  return best;
}

/** Tries every way the missing votes could go. */
function naiveVote(config: readonly NodeId[], vote: (node: NodeId) => boolean | undefined): VoteResult {
  const outcomes = new Set<boolean>();
  for (let rest = 0; rest < 2 ** config.length; rest += 1) {
    const granted = config.filter((node, i) => vote(node) ?? ((rest >> i) & 1) === 1).length;
    outcomes.add(config.length === 0 || granted * 2 > config.length);
  }
  if (outcomes.size > 1) return 'pending';
  return outcomes.has(true) ? 'won' : 'lost';
}

const config = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 7 });
const configs = fc.array(config, { minLength: 1, maxLength: 2 }).map(configsOf);

test('the committed index is what a naive twin finds', () => {
  const matched = fc.array(fc.nat(12), { minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(configs, matched, (voters, values) => {
      const reached = (node: NodeId) => values[node] ?? 0;
      const expected = Math.min(...voters.map((one) => naiveReached(one, reached)));
      expect(reachedByQuorum(voters, reached)).toBe(expected);
    }),
    { numRuns: 2000 },
  );
});

test('the vote is what a naive twin finds', () => {
  const votes = fc.array(fc.option(fc.boolean(), { nil: undefined }), { minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(configs, votes, (voters, values) => {
      const each = voters.map((one) => naiveVote(one, (node) => values[node]));
      const both = each.every((one) => one === 'won') ? 'won' : 'pending';
      const expected = each.includes('lost') ? 'lost' : both;
      expect(voteResult(voters, (node) => values[node])).toBe(expected);
    }),
    { numRuns: 2000 },
  );
});

test('two majorities of one config share a voter', () => {
  for (let size = 1; size < 20; size += 1) expect(2 * majority(size)).toBeGreaterThan(size);
});

interface Fact {
  readonly source: string;
  readonly op: 'committed' | 'vote';
  readonly configs: number[][];
  readonly matched?: Record<string, number>;
  readonly votes?: Record<string, boolean>;
  readonly expect: number | string;
}

const facts = new URL('../../../../shared/conformance/raft-quorum.json', import.meta.url);

describe.skipIf(!existsSync(facts))('published facts', () => {
  const cases: Fact[] = existsSync(facts) ? JSON.parse(readFileSync(facts, 'utf8')).cases : [];

  test('all of them hold', () => {
    expect(cases.length).toBe(127);
    for (const fact of cases) {
      const voters = configsOf(fact.configs);
      const found =
        fact.op === 'committed'
          ? reachedByQuorum(voters, (node) => fact.matched?.[node] ?? 0)
          : voteResult(voters, (node) => fact.votes?.[node]);
      const expected = fact.expect === 'infinity' ? Number.POSITIVE_INFINITY : fact.expect;
      expect(found, JSON.stringify(fact)).toBe(expected);
    }
  });
});
