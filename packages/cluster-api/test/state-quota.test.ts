import { encodeCommand } from '@metad/kv-store';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StateQuota } from '../src/consensus/state-quota.ts';

const PUT = encodeCommand({ type: 'merge', tree: 'data', leaves: [['/a', 'x'.repeat(100)]] });
const GIB = 1024 ** 3;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

function quotaOf(maxBytes: number) {
  const used = { bytes: 0, looks: 0 };
  const look = () => {
    used.looks += 1;
    return used.bytes;
  };
  return { used, quota: new StateQuota({ maxBytes, usedBytes: look }) };
}

test('far below the limit the state is hardly ever looked at', () => {
  const { used, quota } = quotaOf(GIB);
  for (let i = 0; i < 2000; i++) expect(quota.admits(PUT)).toBe(true);
  expect(used.looks).toBe(1);
});

test('near the limit it is looked at each time', () => {
  const { used, quota } = quotaOf(GIB);
  used.bytes = GIB - 4096;
  for (let i = 0; i < 10; i++) expect(quota.admits(PUT)).toBe(true);
  expect(used.looks).toBe(10);
  used.bytes = GIB;
  expect(quota.admits(PUT)).toBe(false);
});

test('what was admitted may fill the state before the next look, and no more', () => {
  const { used, quota } = quotaOf(GIB);
  let admitted = 0;
  while (used.looks < 3 && quota.admits(PUT)) {
    admitted += 1;
    used.bytes += 4 * 4096;
  }
  expect(admitted).toBeGreaterThan(5000);
  expect(used.bytes).toBeLessThan(GIB);
});

test('a look is good for a moment only: another leader may have filled the state', () => {
  const { used, quota } = quotaOf(GIB);
  expect(quota.admits(PUT)).toBe(true);
  used.bytes = GIB;
  vi.advanceTimersByTime(1000);
  expect(quota.admits(PUT)).toBe(false);
  used.bytes = 0;
  expect(quota.admits(PUT)).toBe(true);
});
