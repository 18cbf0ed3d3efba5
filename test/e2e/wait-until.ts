import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 60_000;
const PROBE_EVERY_MS = 25;

/**
 * Resolves to what `condition` returns as soon as that is neither `false`, `null` nor `undefined`; a condition that
 * throws does not hold yet. Rejects after a minute with `what` was awaited and how it last failed.
 */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  what: string,
  limitMs = LIMIT_MS,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const { value, failure } = await attempt(condition);
    if (value !== undefined && value !== null && value !== false) {
      return value as NonNullable<Exclude<T, false>>;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${limitMs / 1000} s for: ${what} (at last: ${failure ?? value})`);
    }
    await sleep(PROBE_EVERY_MS);
  }
}

async function attempt<T>(condition: () => T | Promise<T>): Promise<{ value?: T; failure?: unknown }> {
  try {
    return { value: await condition() };
  } catch (failure) {
    return { failure };
  }
}
