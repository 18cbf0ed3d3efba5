import { expect, onTestFinished, test, vi } from 'vitest';
import { restHalfTheTime } from '../src/rests.ts';

test('a thread rests as long as it has worked, but not for every little work, nor for long', () => {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  const rests: (number | undefined)[] = [];
  const wait = vi.spyOn(Atomics, 'wait').mockImplementation((...[, , , ms]) => {
    rests.push(ms);
    now += ms ?? 0;
    return 'timed-out';
  });
  onTestFinished(() => {
    clock.mockRestore();
    wait.mockRestore();
  });
  const rest = restHalfTheTime();
  for (const workMs of [3, 1, 2, 4, 8, 7000, 5]) {
    now += workMs;
    rest();
  }
  expect(rests).toEqual([6, 12, 100, 5]);
});
