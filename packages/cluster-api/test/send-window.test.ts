import { expect, test } from 'vitest';
import { SendWindow } from '../src/snapshots/send-window.ts';

const LIMITS = { chunkBytes: 10, maxWindowBytes: 50, confirmMs: 20 };

/** Sends and confirms chunks one after the other, each confirmed after `tookMs`. */
function run(window: SendWindow, chunks: number, tookMs: number): void {
  for (let chunk = 1; chunk <= chunks; chunk += 1) {
    now += 1;
    window.sent(chunk * 10, now);
    now += tookMs;
    window.confirmed(chunk * 10, now);
  }
}

let now = 0;

test('it grows while confirmations come fast, up to its limit', () => {
  const window = new SendWindow(LIMITS);
  expect(window.bytes).toBe(10);
  run(window, 2, 1);
  expect(window.bytes).toBe(30);
  run(window, 20, 1);
  expect(window.bytes).toBe(50);
});

test('it shrinks when they come late, but one chunk may always be under way', () => {
  const window = new SendWindow(LIMITS);
  run(window, 20, 1);
  run(window, 1, 21);
  expect(window.bytes).toBe(25);
  run(window, 20, 500);
  expect(window.bytes).toBe(10);
});

test('it stays as it is in between, and a chunk that is only partly confirmed says nothing', () => {
  const window = new SendWindow(LIMITS);
  run(window, 2, 15);
  expect(window.bytes).toBe(10);
  window.sent(40, 0);
  window.confirmed(39, 1);
  expect(window.bytes).toBe(10);
});

test('what was on its way together, and is late together, halves it once', () => {
  const window = new SendWindow(LIMITS);
  run(window, 20, 1);
  for (let chunk = 1; chunk <= 5; chunk += 1) window.sent(chunk * 10, now);
  for (let chunk = 1; chunk <= 5; chunk += 1) window.confirmed(chunk * 10, now + 20 + chunk);
  expect(window.bytes).toBe(25);
});
