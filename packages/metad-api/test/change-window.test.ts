import { isAtOrBelow, version } from '@metad/kv-store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChangeWindow, type NamedChange } from '../src/wait/change-window.ts';

const data = (at: number, ...paths: string[]): NamedChange => ({
  type: 'data',
  version: version(at),
  paths,
  appeared: 0,
});

function versionsAfter(window: ChangeWindow, since: number): number[] {
  const seen: number[] = [];
  window.some(version(since), (change) => {
    seen.push(change.version);
    return false;
  });
  return seen;
}

test('knows what came after a version, and from where on it knows all', () => {
  const window = new ChangeWindow(version(10), { maxWindowChanges: 3, maxWindowBytes: 10_000 });
  expect([window.covers(version(9)), window.covers(version(10)), window.covers(version(99))]).toEqual([
    false,
    true,
    true,
  ]);
  for (const at of [11, 13, 14]) window.push(data(at, '/a'));
  expect(versionsAfter(window, 10)).toEqual([11, 13, 14]);
  expect(versionsAfter(window, 12)).toEqual([13, 14]);
  expect(versionsAfter(window, 14)).toEqual([]);
  window.push(data(20, '/b'));
  expect([window.covers(version(10)), window.covers(version(11))]).toEqual([false, true]);
  expect(versionsAfter(window, 11)).toEqual([13, 14, 20]);
});

test('a change that is larger than all of it leaves it knowing nothing before', () => {
  const window = new ChangeWindow(version(0), { maxWindowChanges: 100, maxWindowBytes: 1000 });
  window.push(data(1, '/a'));
  window.push(data(2, ...Array.from({ length: 100 }, (_, i) => `/path/${i}`)));
  expect([window.covers(version(1)), window.covers(version(2))]).toEqual([false, true]);
  expect(versionsAfter(window, 2)).toEqual([]);
  window.push(data(3, '/a'));
  expect(versionsAfter(window, 2)).toEqual([3]);
});

test('a replaced state leaves it knowing nothing before', () => {
  const window = new ChangeWindow(version(0), { maxWindowChanges: 100, maxWindowBytes: 1000 });
  window.push(data(1, '/a'));
  window.push({ type: 'reset', version: version(7) });
  expect([window.covers(version(6)), window.covers(version(7))]).toEqual([false, true]);
  expect(versionsAfter(window, 0)).toEqual([]);
});

test('agrees with a list that forgets nothing, as far as it covers', () => {
  const steps = fc.array(fc.nat({ max: 3 }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 10 }), (increments, maxWindowChanges) => {
      const window = new ChangeWindow(version(0), { maxWindowChanges, maxWindowBytes: 1_000_000 });
      const all: number[] = [];
      let at = 0;
      for (const increment of increments) {
        at += increment + 1;
        all.push(at);
        window.push(data(at, '/a'));
        for (let since = 0; since <= at; since += 1) {
          if (window.covers(version(since)))
            expect(versionsAfter(window, since)).toEqual(all.filter((one) => one > since));
        }
      }
      expect(window.covers(version(at))).toBe(true);
      expect(window.covers(version(all.at(-maxWindowChanges - 1) ?? 0))).toBe(true);
    }),
  );
});

const PATHS = ['/a', '/a/b', '/a/b/c', '/d', '/d/e'];
const HOSTS = ['h1', 'h2'];

test('the latest changes say "nothing since" exactly where the list says so, as far as it covers', () => {
  const change = fc.oneof(
    fc.record({
      type: fc.constant('data' as const),
      paths: fc.subarray(PATHS, { minLength: 1 }),
      appeared: fc.constant(0),
    }),
    fc.record({
      type: fc.constantFrom('rules' as const, 'mapping' as const),
      hosts: fc.subarray(HOSTS, { minLength: 1 }),
    }),
  );
  const steps = fc.array(fc.tuple(change, fc.nat({ max: 1 })), { maxLength: 40 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 8 }), (changes, maxWindowChanges) => {
      const window = new ChangeWindow(version(0), { maxWindowChanges, maxWindowBytes: 1_000_000 });
      let at = 1;
      for (const [one, increment] of changes) {
        at += increment;
        window.push({ ...one, version: version(at) });
        for (let since = 0; since <= at; since += 1) {
          if (!window.covers(version(since))) continue;
          const some = (matches: (change: NamedChange) => boolean) => window.some(version(since), matches);
          for (const path of ['/', ...PATHS]) {
            const expected = some((c) => c.type === 'data' && c.paths.some((p) => isAtOrBelow(p, path)));
            expect(window.latest.concernsPaths([path], version(since))).toBe(expected);
          }
          for (const host of HOSTS) {
            const expected = some((c) => c.type !== 'data' && c.hosts.includes(host));
            expect(window.latest.concernsHost(host, version(since))).toBe(expected);
          }
        }
      }
    }),
  );
});
