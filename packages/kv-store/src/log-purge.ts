import type { LogIndex } from '@metad/raft-core';
import type { LogStatements } from './log-statements.ts';

/** How much one removal of compacted entries may take on. */
export interface PurgeLimits {
  readonly maxEntries: number;
  /** Payload bytes; one entry may be larger. */
  readonly maxBytes: number;
}

/** A few milliseconds of work. */
export const DEFAULT_PURGE_LIMITS: PurgeLimits = { maxEntries: 2_000, maxBytes: 2 * 1024 * 1024 };

/** Removes the first entries up to `upTo` within the limits; returns whether there are more of them. */
export function purgeFirst(statements: LogStatements, upTo: LogIndex, limits: PurgeLimits): boolean {
  const rows = statements.firstRows.all(upTo, limits.maxEntries);
  let bytes = 0;
  let last: number | null = null;
  for (const [index, size] of rows) {
    bytes += size;
    if (last !== null && bytes > limits.maxBytes) break;
    last = index;
  }
  if (last === null) return false;
  statements.purge.run(last);
  return last < upTo;
}
