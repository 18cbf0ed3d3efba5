import { describe, expect, test } from 'vitest';
import { checkLinearizable } from '../simulation/linearizability.ts';
import { describeViolation } from '../simulation/linearizability-report.ts';
import { searchOrder } from '../simulation/linearizability-search.ts';
import type { Violation } from '../simulation/linearizability-violation.ts';
import type { Operation } from '../simulation/operation.ts';
import { Random } from '../simulation/random.ts';
import {
  later,
  put,
  randomHistory,
  read,
  registerRun,
  remove,
  sawInstead,
  someOrderExplains,
  type Workload,
} from './register-histories.ts';

function violationOf(operations: readonly Operation[], maxStepsPerKey?: number): Violation {
  const verdict = checkLinearizable(operations, maxStepsPerKey === undefined ? {} : { maxStepsPerKey });
  if (verdict.type !== 'violation') throw new Error(`expected a violation, found ${verdict.type}`);
  return verdict;
}

const typeOf = (operations: readonly Operation[]) => checkLinearizable(operations).type;

describe('accepted', () => {
  const good: Record<string, Operation[]> = {
    'nothing at all': [],
    'a read of a key that was never written': [read(null, 1, 2)],
    'a read of what was written before': [put('a', 1, 2), read('a', 3, 4)],
    'a read that overlaps a write and sees it': [put('a', 1, 4), read('a', 2, 3)],
    'a read that overlaps a write and misses it': [put('a', 1, 4), read(null, 2, 3)],
    'a write and a read that touch at one time are concurrent': [put('a', 1, 2), read(null, 2, 3)],
    'concurrent writes, read in either order': [put('a', 1, 4), put('b', 2, 3), read('a', 5, 6)],
    'concurrent reads of which only the later returned sees the write': [
      put('a', 1, 9),
      read(null, 2, 6),
      read('a', 3, 7, { client: 3 }),
    ],
    'a delete, and a read of nothing': [put('a', 1, 2), remove(3, 4), read(null, 5, 6)],
    'a value written twice comes back': [put('a', 1, 2), put('b', 3, 4), put('a', 5, 6), read('a', 7, 8)],
    'an unknown write seen at once': [put('a', 1, 'unknown'), read('a', 2, 3)],
    'an unknown write seen much later': [
      put('a', 1, 'unknown'),
      put('b', 2, 3),
      read('b', 4, 5),
      put('c', 6, 7),
      read('c', 8, 9),
      read('a', 10, 11),
    ],
    'an unknown write never seen': [put('a', 1, 2), put('b', 3, 'unknown'), read('a', 4, 5), read('a', 6, 7)],
    'an unknown delete seen late': [
      put('a', 1, 2),
      remove(3, 'unknown'),
      read('a', 4, 5),
      read(null, 6, 7),
      read(null, 8, 9),
    ],
    'two unknown writes of one value, seen twice': [
      put('a', 1, 'unknown'),
      put('a', 2, 'unknown'),
      read('a', 3, 4),
      put('b', 5, 6),
      read('a', 7, 8),
    ],
    'two unknown writes that both have to be kept for later reads': [
      put('a', 0, 'unknown'),
      put('a', 0, 'unknown'),
      read('a', 1, 6),
      put('a', 2, 10),
      ...[put('b', 11, 12), read('a', 13, 14), put('c', 15, 16), read('a', 17, 18)],
    ],
    'a read that returns when its write is called': [read('a', 1, 2), put('a', 2, 3)],
    'a failed write never seen': [put('a', 1, 2), put('b', 3, 'failed'), read('a', 4, 5)],
    'reads without an answer prove nothing': [
      put('a', 1, 2),
      read('z', 3, 'failed'),
      read('z', 4, 'unknown'),
    ],
    'keys do not concern each other': [
      put('a', 1, 2, { key: 'x' }),
      put('b', 3, 4, { key: 'y' }),
      read('a', 5, 6, { key: 'x' }),
      read('b', 7, 8, { key: 'y' }),
    ],
    'after Herlihy and Wing: a write read while it is under way, between two of another value': [
      put('0', 1, 4, { client: 1 }),
      put('1', 2, 9, { client: 2 }),
      read('1', 5, 6, { client: 1 }),
      put('0', 7, 12, { client: 3 }),
      read('0', 10, 11, { client: 2 }),
    ],
  };
  test.each(Object.entries(good))('%s', (_name, operations) => {
    expect(typeOf(operations)).toBe('linearizable');
  });
});

describe('refused', () => {
  const bad: Record<string, Operation[]> = {
    'a stale read': [put('a', 1, 2), put('b', 3, 4), read('a', 5, 6)],
    'a read of a value never written': [put('a', 1, 2), read('z', 3, 4)],
    'a read of what is written only later': [read('a', 1, 2), put('a', 3, 4)],
    'a lost update': [put('a', 1, 2), read(null, 3, 4)],
    'a lost update among concurrent ones: after both, neither is there': [
      put('a', 1, 4),
      put('b', 2, 3),
      read(null, 5, 6),
    ],
    'a read that goes back': [
      put('a', 1, 2),
      put('b', 3, 9),
      read('b', 4, 5),
      read('a', 6, 7, { client: 3 }),
    ],
    'a read that goes back to nothing': [put('a', 1, 9), read('a', 2, 3), read(null, 4, 5)],
    'concurrent writes seen in both orders': [
      put('a', 1, 2.5, { client: 1 }),
      put('b', 2, 2.6, { client: 2 }),
      read('a', 3, 6, { client: 3 }),
      read('b', 7, 8, { client: 3 }),
      read('b', 4, 9, { client: 4 }),
      read('a', 10, 11, { client: 4 }),
    ],
    'a failed write seen': [put('a', 1, 2), put('b', 3, 'failed'), read('b', 4, 5)],
    'a delete that did nothing': [put('a', 1, 2), remove(3, 4), read('a', 5, 6)],
    'an unknown write seen before it was called': [read('a', 1, 2), put('a', 3, 'unknown')],
    'an unknown write that would have to come before what returned before its call': [
      put('u', 1, 20),
      read('u', 2, 3),
      read('a', 2, 8, { client: 3 }),
      put('a', 5, 'unknown', { client: 4 }),
      read('u', 9, 10),
    ],
    'an unknown write that takes effect twice': [
      put('a', 1, 'unknown'),
      read('a', 2, 3),
      put('b', 4, 5),
      read('a', 6, 7),
    ],
    'one of two keys': [put('a', 1, 2, { key: 'y' }), read('a', 3, 4, { key: 'y' }), read('a', 5, 6)],
    'after Herlihy and Wing: the same, but its value is back once another was read': [
      put('0', 1, 2, { client: 1 }),
      put('1', 3, 12, { client: 2 }),
      read('1', 5, 6, { client: 1 }),
      put('0', 7, 9, { client: 3 }),
      read('0', 8, 10, { client: 1 }),
      read('1', 11, 13, { client: 1 }),
    ],
  };
  test.each(Object.entries(bad))('%s', (_name, operations) => {
    expect(typeOf(operations)).toBe('violation');
  });
});

describe('against a twin that tries all orders', () => {
  test('the verdicts are equal', () => {
    const random = new Random(7);
    const found = { linearizable: 0, violation: 0, undecided: 0 };
    for (let run = 0; run < 6000; run += 1) {
      const operations = randomHistory(random, 7);
      const type = typeOf(operations);
      const expected = someOrderExplains(operations) ? 'linearizable' : 'violation';
      expect(type, JSON.stringify(operations)).toBe(expected);
      found[type] += 1;
    }
    expect(found.linearizable).toBeGreaterThan(1500);
    expect(found.violation).toBeGreaterThan(1500);
  });

  test('a violation names the first contradictory answer, and a core of which no read can be spared', () => {
    const random = new Random(8);
    for (let run = 0; run < 2000; run += 1) {
      const operations = randomHistory(random, 6);
      const verdict = checkLinearizable(operations);
      if (verdict.type !== 'violation') continue;
      const { at, prefix, core } = verdict;
      const told = JSON.stringify(operations);
      expect(someOrderExplains(prefix), told).toBe(false);
      expect(someOrderExplains(knownBefore(prefix, at)), told).toBe(true);
      expect(someOrderExplains(core), told).toBe(false);
      for (const one of core.filter(({ type }) => type === 'read')) {
        const rest = core.filter((other) => other !== one);
        expect(someOrderExplains(rest), told).toBe(true);
      }
    }
  });
});

/** The history without the answers given at `at`. */
function knownBefore(operations: readonly Operation[], at: number): Operation[] {
  return operations.map((operation) =>
    operation.outcome.type === 'ok' && operation.outcome.at >= at
      ? { ...operation, outcome: { type: 'unknown' } }
      : operation,
  );
}

const isAnsweredRead = ({ type, outcome }: Operation) => type === 'read' && outcome.type === 'ok';
const precedes = (a: Operation, b: Operation) => a.outcome.type === 'ok' && a.outcome.at < b.call;

function isSeenBy({ outcome }: Operation, write: Operation): boolean {
  return write.type === 'put' && outcome.type === 'ok' && 'value' in outcome && outcome.value === write.value;
}

describe('against a real register', () => {
  const workloads: Workload[] = [
    { clients: 2, operations: 20, unknown: 3 },
    { clients: 5, operations: 60, unknown: 8 },
    { clients: 8, operations: 100, unknown: 20 },
    { clients: 4, operations: 40, unknown: 5, values: 2 },
    { clients: 6, operations: 80, unknown: 10, values: 4 },
  ];

  test.each(workloads)('what its clients see is accepted: %o', (workload) => {
    for (let seed = 0; seed < 100; seed += 1) {
      const operations = registerRun(new Random(seed), workload);
      expect(typeOf(operations), `seed ${seed}`).toBe('linearizable');
    }
  });

  const distinct: Workload = { clients: 5, operations: 60, unknown: 8 };

  test('a read that sees what was overwritten for certain before it is refused', () => {
    let refused = 0;
    for (let seed = 0; seed < 200; seed += 1) {
      const random = new Random(seed);
      const operations = registerRun(random, distinct);
      const changed = random.pick(operations.filter(isAnsweredRead));
      if (changed === undefined) continue;
      const before = operations.filter((one) => one.type !== 'read' && precedes(one, changed));
      const stale = random.pick(before.filter((one) => before.some((later) => precedes(one, later))));
      if (stale?.type !== 'put') continue;
      const { core } = violationOf(sawInstead(operations, changed, stale.value));
      expect(core.length, `seed ${seed}`).toBeLessThan(12);
      refused += 1;
    }
    expect(refused).toBeGreaterThan(120);
  });

  test('a read that sees any other value written before it is nearly always refused', () => {
    const found = { linearizable: 0, violation: 0, undecided: 0 };
    for (let seed = 0; seed < 400; seed += 1) {
      const random = new Random(seed);
      const operations = registerRun(random, distinct);
      const changed = random.pick(operations.filter(isAnsweredRead));
      if (changed === undefined) continue;
      const others = operations.filter((one) => one.type === 'put' && precedes(one, changed));
      const other = random.pick(others.filter((one) => !isSeenBy(changed, one)));
      if (other?.type === 'put') found[typeOf(sawInstead(operations, changed, other.value))] += 1;
    }
    expect(found.violation).toBeGreaterThan(300);
    expect(found.linearizable).toBeLessThan(60);
    expect(found.undecided).toBe(0);
  });
});

describe('size', () => {
  const large: Workload = { clients: 10, operations: 600, unknown: 30 };

  test('600 operations of one key, 30 of them unknown, need few steps', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const operations = registerRun(new Random(seed), large);
      expect(operations.filter(({ outcome }) => outcome.type === 'unknown')).toHaveLength(30);
      expect(checkLinearizable(operations, { maxStepsPerKey: 2000 }).type, `seed ${seed}`).toBe(
        'linearizable',
      );
    }
  });

  test('to refuse them takes not many more, although all orders of the rest are tried first', () => {
    const flips = [put('p', 1, 9), put('q', 2, 10), read('p', 3, 4), read('q', 5, 6), read('p', 7, 8)];
    for (let seed = 0; seed < 20; seed += 1) {
      const operations = registerRun(new Random(seed), large);
      const refused = [...operations, ...flips.map((one) => later(one, 1e6))];
      expect(searchOrder(refused, { left: 10_000 }), `seed ${seed}`).toBe('violation');
      if (seed < 5) expect(violationOf(refused).core.length, `seed ${seed}`).toBe(5);
    }
  });

  test('30 unknown writes before each read of one of them are no 2³⁰ choices', () => {
    const writes = Array.from({ length: 30 }, (_, index) =>
      put(`v${index}`, index, 'unknown', { client: index }),
    );
    const reads = writes.map((_, index) => read(`v${(7 * index) % 30}`, 100 + 2 * index, 101 + 2 * index));
    const all = [...writes, ...reads];
    expect(checkLinearizable(all, { maxStepsPerKey: 200 }).type).toBe('linearizable');
    const again = read('v7', 200, 201);
    expect(checkLinearizable([...all, again], { maxStepsPerKey: 200 }).type).toBe('violation');
  });

  test('a search that its budget ends says so, for that key only', () => {
    const operations = registerRun(new Random(1), { clients: 8, operations: 100, unknown: 10, values: 3 });
    const other = [put('a', 1, 2, { key: 'y' }), read('a', 3, 4, { key: 'y' })];
    const verdict = checkLinearizable([...other, ...operations], { maxStepsPerKey: 10 });
    expect(verdict).toEqual({ type: 'undecided', keys: ['x'] });
  });

  test('a violation is found although another key is undecided', () => {
    const operations = registerRun(new Random(1), { clients: 8, operations: 100, unknown: 10, values: 3 });
    const stale = [put('a', 1, 2, { key: 'y' }), read(null, 3, 4, { key: 'y' })];
    expect(violationOf([...operations, ...stale], 10).key).toBe('y');
  });
});

describe('a violation', () => {
  test('is cut to the first answer that contradicts, and the operations that do', () => {
    const noise = [put('n', 1, 2), read('n', 3, 4), read('n', 30, 31)];
    const stale = [put('a', 5, 8), put('b', 9, 12, { client: 3 }), read('a', 13, 15)];
    const found = violationOf([...noise, ...stale, put('c', 14, 20, { client: 4 })]);
    expect(found.at).toBe(15);
    expect(found.core).toEqual(stale);
    expect(found.prefix).toContainEqual(put('c', 14, 'unknown', { client: 4 }));
    expect(found.prefix.some(({ call }) => call === 30)).toBe(false);
  });

  test('is drawn over time', () => {
    const operations = [
      put('n', 1, 2),
      put('a', 5, 8),
      put('b', 7, 'unknown', { client: 3 }),
      put('z', 8, 'failed', { client: 5 }),
      read('b', 9, 10),
      remove(11, 11, { client: 4 }),
      read('b', 12, 13),
    ];
    expect(describeViolation(violationOf(operations))).toBe(
      [
        'key "x" is not linearizable at 13, after 5 answers. No order explains these:',
        '  client 3  put "b"   7–unknown  ├┄┄┄┄┄┄┄┄┄┄┄',
        '  client 2  read "b"  9–10         ├─┤',
        '  client 4  delete    11–11            │',
        '  client 2  read "b"  12–13              ├─┤',
      ].join('\n'),
    );
  });

  test('says so when nobody wrote a value, and shows a write that had failed', () => {
    expect(describeViolation(violationOf([read('z', 3, 4)]))).toContain('read "z" (never written)  3–4');
    const failed = describeViolation(violationOf([put('z', 1, 'failed'), read('z', 3, 4)]));
    expect(failed).toContain('put "z"   1–failed  ×');
    expect(failed).not.toContain('never written');
  });
});
