import type { LogId } from './ids.ts';
import type { Membership } from './membership.ts';

export type Payload =
  /** Bytes that only the state machine understands. */
  | { readonly type: 'command'; readonly data: Uint8Array }
  /** Takes effect when appended, not when committed (thesis §4.1). */
  | { readonly type: 'membership'; readonly membership: Membership }
  /** What a new leader appends first, so that it can commit the entries of earlier terms (paper §8). */
  | { readonly type: 'blank' };

/** One log record; usable wherever its log id is. */
export type Entry = LogId & { readonly payload: Payload };

/** What an entry is charged for against every limit in bytes: its command plus a fixed overhead. */
export function entryBytes({ payload }: { readonly payload: Payload }): number {
  return ENTRY_OVERHEAD_BYTES + (payload.type === 'command' ? payload.data.byteLength : 0);
}

const ENTRY_OVERHEAD_BYTES = 64;
