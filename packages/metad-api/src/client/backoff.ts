import type { Signals } from './exchange.ts';

/** How long a client pauses after failures. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Keeps ten thousand clients of a node that ends from being at the next one in the same moment. */
const FAIL_OVER_SPREAD_MS = 100;

/**
 * The pause after this many failures in a row. Each of the other nodes gets its chance at once; after that it grows
 * with each round, and half of it is chance.
 */
export function pauseAfterMs(failures: number, nodes: number, { firstMs, maxMs }: Backoff): number {
  if (failures < nodes) return Math.random() * Math.min(FAIL_OVER_SPREAD_MS, firstMs);
  const longest = Math.min(maxMs, firstMs * 2 ** Math.min(failures - nodes, 20));
  return longest * (0.5 + Math.random() / 2);
}

/** Rejects with the reason of a signal as soon as one is aborted. */
export function pause(ms: number, signals: Signals): Promise<void> {
  const aborted = signals.find((signal) => signal.aborted);
  if (aborted !== undefined) return Promise.reject(aborted.reason);
  const ended = new AbortController();
  return new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    for (const signal of signals) {
      const abort = (): void => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true, signal: ended.signal });
    }
  }).finally(() => ended.abort());
}
