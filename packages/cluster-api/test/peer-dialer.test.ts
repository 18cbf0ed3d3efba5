import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type DialResult, PeerDialer } from '../src/peers/dialer.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const LIMITS = { redialMinMs: 100, redialMaxMs: 1000 };

/** A dialer whose attempts wait for the test to settle them. */
function dialling(random = 0): {
  dialer: PeerDialer;
  dials: () => number;
  settle: (result: DialResult) => void;
} {
  let dials = 0;
  let settle: (result: DialResult) => void = () => expect.unreachable('nothing was dialled');
  const dialer = new PeerDialer({
    limits: LIMITS,
    random: () => random,
    open: (settleThis) => {
      dials += 1;
      settle = settleThis;
      return () => {
        settle = () => undefined;
      };
    },
  });
  return { dialer, dials: () => dials, settle: (result) => settle(result) };
}

/** How long the dialer waits until it dials again. */
function nextWaitMs(dials: () => number): number {
  const before = dials();
  let waitedMs = 0;
  while (dials() === before) {
    vi.advanceTimersByTime(1);
    waitedMs += 1;
  }
  return waitedMs;
}

test('waits double from the shortest to the longest', () => {
  const { dialer, dials, settle } = dialling();
  dialer.start();
  const waits = [1, 2, 3, 4, 5, 6].map(() => {
    settle('failed');
    return nextWaitMs(dials);
  });
  expect(waits).toEqual([100, 200, 400, 500, 500, 500]);
});

test('jitter spreads a wait over its upper half', () => {
  const { dialer, dials, settle } = dialling(0.5);
  dialer.start();
  settle('failed');
  expect(nextWaitMs(dials)).toBe(150);
});

test('after a refusal the first wait is as long as any', () => {
  const { dialer, dials, settle } = dialling();
  dialer.start();
  settle('refused');
  expect(nextWaitMs(dials)).toBe(500);
});

test('a link that has held is dialled again soon, one that has not counts as a failure', () => {
  const { dialer, dials, settle } = dialling();
  dialer.start();
  for (const _ of [1, 2, 3]) {
    settle('failed');
    nextWaitMs(dials);
  }
  settle('linked');
  dialer.linkLost(false);
  expect(nextWaitMs(dials)).toBe(500);
  settle('linked');
  dialer.linkLost(true);
  expect(nextWaitMs(dials)).toBe(50);
});

test('a sign of life ends the wait, and starts no second dial', () => {
  const { dialer, dials, settle } = dialling();
  dialer.start();
  dialer.wake();
  expect(dials()).toBe(1);
  settle('refused');
  dialer.wake();
  expect(dials()).toBe(2);
  settle('linked');
  dialer.wake();
  expect(dials()).toBe(2);
});

test('stopping leaves no timer, whatever the dialer was doing', () => {
  for (const results of [[], ['failed'], ['linked']] as const) {
    const { dialer, settle } = dialling();
    dialer.start();
    for (const result of results) settle(result);
    dialer.stop();
    dialer.wake();
    dialer.linkLost(true);
    expect(vi.getTimerCount()).toBe(0);
  }
});
