import type { NodeConfig } from './node-config.ts';
import { MAX_BODY_BYTES } from './settings.ts';

/** How much larger than the body that brought it a command may get: short names below a long path repeat that path. */
const ENTRY_BYTES_PER_BODY_BYTE = 2;
/** Room for the envelope of a message around one entry. */
const FRAME_OVERHEAD_BYTES = 64 * 1024;

/** The largest command that one log entry may hold. */
export function entryBytesLimit({ limits }: NodeConfig): number {
  return limits.maxBodyBytes * ENTRY_BYTES_PER_BODY_BYTE;
}

/**
 * The largest frame that a peer may send. The same on every node whatever its settings: else one that allows larger
 * bodies than another could never bring its entries there.
 */
export const MAX_FRAME_BYTES = MAX_BODY_BYTES * ENTRY_BYTES_PER_BODY_BYTE + FRAME_OVERHEAD_BYTES;
