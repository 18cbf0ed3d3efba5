/** What bounds the snapshots that a node takes, sends and receives. */
export interface SnapshotLimits {
  /** Sent at once, each to another peer; further peers wait for their turn. */
  readonly maxTransfers: number;
  /** What one frame carries, and what may always be under way. A heartbeat waits behind no more than the window. */
  readonly chunkBytes: number;
  /** How many chunks are read before it is their turn: so many can be sent in one turn of the event loop. */
  readonly chunksAhead: number;
  /** Most that may be sent and not be confirmed. */
  readonly maxWindowBytes: number;
  /** While confirmations come faster than that the window grows; when they come slower it shrinks. */
  readonly confirmMs: number;
  /** Without a sign of life from the receiver for so long a transfer has failed. */
  readonly stallMs: number;
  /** How long a peer is left alone that has refused a snapshot, or for which none could be taken: doubled each time, … */
  readonly retryMs: number;
  /** … up to this. */
  readonly maxRetryMs: number;
  /** How long the log is kept for a peer whose transfer has failed, so that the same snapshot serves again. */
  readonly resumeMs: number;
  /** Most that is taken from a peer. */
  readonly maxReceivedBytes: number;
  /** What a snapshot that is received leaves free on the disk: the log needs it. */
  readonly reserveBytes: number;
  /** How long a snapshot that was received in part waits for its rest. */
  readonly partialMs: number;
  /** How often a receiver that verifies says so. */
  readonly progressMs: number;
}

const KIB = 1024;
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

export const DEFAULT_SNAPSHOT_LIMITS: SnapshotLimits = {
  maxTransfers: 2,
  chunkBytes: 256 * KIB,
  chunksAhead: 4,
  maxWindowBytes: 4 * MIB,
  confirmMs: 50,
  stallMs: 15_000,
  retryMs: 2_000,
  maxRetryMs: 60_000,
  resumeMs: 60_000,
  maxReceivedBytes: 64 * GIB,
  reserveBytes: 64 * MIB,
  partialMs: 600_000,
  progressMs: 1_000,
};
