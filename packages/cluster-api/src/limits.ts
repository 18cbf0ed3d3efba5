import type { NodeConfig } from './config.ts';

/** How much larger than the body that brought it a command may get: short names below a long path repeat that path. */
const ENTRY_BYTES_PER_BODY_BYTE = 2;
/** Room for the envelope of a message around one entry. */
const FRAME_OVERHEAD_BYTES = 64 * 1024;

/** The largest command that one log entry may hold. */
export function entryBytesLimit({ limits }: NodeConfig): number {
  return limits.maxBodyBytes * ENTRY_BYTES_PER_BODY_BYTE;
}

/** The largest frame that a peer may send: one entry of the largest size always fits. */
export function frameBytesLimit(config: NodeConfig): number {
  return Math.max(entryBytesLimit(config), 1024 * 1024) + FRAME_OVERHEAD_BYTES;
}
