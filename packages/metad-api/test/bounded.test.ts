import { version } from '@metad/kv-store';
import { describe, expect, test } from 'vitest';
import { Access } from '../src/access/access.ts';
import { type ClientProfile, NO_PROFILE } from '../src/access/client-profile.ts';
import { BoundedCache } from '../src/bounded-cache.ts';
import type { Answer } from '../src/http/answer.ts';
import { createRequestIds } from '../src/http/request-id.ts';
import { AnswerCache } from '../src/read/answer-cache.ts';
import { Deadlines, type Timed } from '../src/wait/deadlines.ts';
import { type Indexed, WaiterIndex } from '../src/wait/waiter-index.ts';
import { ManualClock } from './test-node.ts';

describe('a bounded cache', () => {
  test('keeps what is used and stays below its bound', () => {
    const cache = new BoundedCache<number | null>({ maxWeight: 100 });
    cache.set('hot', null);
    for (let i = 0; i < 10_000; i += 1) {
      cache.set(`k${i}`, i);
      expect(cache.get('hot')).toBeNull();
    }
    const kept = Array.from({ length: 10_000 }, (_, i) => cache.get(`k${i}`)).filter(
      (value) => value !== undefined,
    );
    expect(kept.length).toBeLessThanOrEqual(100);
    expect(kept.length).toBeGreaterThan(0);
    expect(cache.get('k0')).toBeUndefined();
  });

  test('weighs: what is too heavy is not kept, what is replaced or deleted is gone', () => {
    const cache = new BoundedCache<string>({ maxWeight: 100 });
    cache.set('a', 'light', 50);
    cache.set('a', 'heavy', 51);
    expect(cache.get('a')).toBeUndefined();
    cache.set('b', 'one', 10);
    cache.set('b', 'two', 10);
    expect(cache.get('b')).toBe('two');
    cache.delete('b');
    expect(cache.get('b')).toBeUndefined();
    cache.set('c', 'x');
    cache.clear();
    expect(cache.get('c')).toBeUndefined();
  });
});

test('answers are kept for one version only, the newest', () => {
  const answer: Answer = {
    status: 200,
    contentType: '',
    body: 'x',
    length: 1,
    version: version(5),
    headers: {},
  };
  const cache = new AnswerCache({ maxAnswerCacheBytes: 10_000 });
  cache.set(version(5), 'k', answer);
  expect([cache.get(version(5), 'k'), cache.get(version(6), 'k'), cache.get(version(4), 'k')]).toEqual([
    answer,
    undefined,
    undefined,
  ]);
  cache.set(version(6), 'other', answer);
  expect(cache.get(version(5), 'k')).toBeUndefined();
  cache.set(version(5), 'late', answer);
  expect(cache.get(version(5), 'late')).toBeUndefined();
  expect(cache.get(version(6), 'other')).toBe(answer);
});

describe('deadlines', () => {
  interface Item extends Timed {
    readonly name: string;
  }
  const item = (name: string): Item => ({ name, deadlineSlot: null });

  test('run out in order, never early, and only once', () => {
    const clock = new ManualClock();
    const expired: string[] = [];
    const deadlines = new Deadlines<Item>(clock, ({ name }) => expired.push(name));
    const never = item('never');
    deadlines.add(item('late'), 5000);
    deadlines.add(item('soon'), 250);
    deadlines.add(never, 300);
    deadlines.add(item('at once'), 0);
    deadlines.delete(never);
    deadlines.delete(never);
    expect(clock.timerCount).toBe(1);
    clock.advance(100);
    expect(expired).toEqual(['at once']);
    clock.advance(149);
    expect(expired).toEqual(['at once']);
    clock.advance(151);
    expect(expired).toEqual(['at once', 'soon']);
    clock.advance(60_000);
    expect(expired).toEqual(['at once', 'soon', 'late']);
    expect(clock.timerCount).toBe(0);
    deadlines.add(never, 100);
    clock.advance(300);
    expect(expired.at(-1)).toBe('never');
  });

  test('may be set and cleared while others run out', () => {
    const clock = new ManualClock();
    const expired: string[] = [];
    const [a, b, c] = [item('a'), item('b'), item('c')];
    const deadlines: Deadlines<Item> = new Deadlines(clock, (due) => {
      expired.push(due.name);
      deadlines.delete(b);
      if (due === a) deadlines.add(c, 0);
    });
    deadlines.add(a, 100);
    deadlines.add(b, 100);
    clock.advance(200);
    clock.advance(200);
    expect(expired).toEqual(['a', 'c']);
    expect(clock.timerCount).toBe(0);
  });
});

test('the waiter index finds by what shows and by host, and forgets all of a waiter', () => {
  interface Named extends Indexed<Named> {
    readonly name: string;
  }
  const index = new WaiterIndex<Named>();
  const profile = (id: number, ...paths: string[]): ClientProfile => {
    const access = Access.ofRules(paths.map((path) => ({ path, mode: path === '/c/x' ? 0 : 1 })));
    return { id, access, mapping: null, hasRules: true };
  };
  const some = profile(2, '/a/b', '/c', '/c/x');
  const waiters: Named[] = [
    { name: 'root', host: 'h1', path: '/', profile: profile(1, '/'), group: null },
    { name: 'two', host: 'h1', path: '/', profile: some, group: null },
    { name: 'alike', host: 'h2', path: '/', profile: { ...some, id: 3 }, group: null },
    { name: 'nobody', host: null, path: '/', profile: NO_PROFILE, group: null },
  ];
  for (const waiter of waiters) index.add(waiter);
  const at = (path: string): string[] => {
    const found: string[] = [];
    index.eachShown(path, ({ name }) => found.push(name));
    return found;
  };
  expect([at('/a/b/x'), at('/a/b'), at('/a/bc'), at('/a'), at('/c/d/e'), at('/c/x/y')]).toEqual([
    ['two', 'alike', 'root'],
    ['two', 'alike', 'root'],
    ['root'],
    ['root'],
    ['two', 'alike', 'root'],
    ['root'],
  ]);
  expect(index.ofHost('h1').map(({ name }) => name)).toEqual(['root', 'two']);
  expect(new Set(index.all())).toEqual(new Set(waiters));
  index.delete(waiters[1] ?? expect.fail());
  expect(at('/a/b')).toEqual(['alike', 'root']);
  for (const waiter of waiters) index.delete(waiter);
  expect([at('/a/b'), index.ofHost('h1'), index.ofHost('h2'), index.all()]).toEqual([[], [], [], []]);
});

test('request ids differ, within one process and between two', () => {
  const [one, other] = [createRequestIds(), createRequestIds()];
  const ids = Array.from({ length: 1000 }, () => [one(), other()]).flat();
  expect(new Set(ids).size).toBe(2000);
  for (const id of ids) expect(id).toMatch(/^[\w-]+$/);
});
