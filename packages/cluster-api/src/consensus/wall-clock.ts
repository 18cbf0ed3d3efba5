import { performance } from 'node:perf_hooks';

/** The time of day in nanoseconds since 1970, as precise as the platform tells it. For display only, never for decisions. */
export function wallClockNanos(): bigint {
  const millis = performance.timeOrigin + performance.now();
  const whole = Math.trunc(millis);
  return BigInt(whole) * 1_000_000n + BigInt(Math.trunc((millis - whole) * 1_000_000));
}
