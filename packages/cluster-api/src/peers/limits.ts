/** What bounds the peer connections of one node. */
export interface PeerLimits {
  /** Longest frame that is sent or read, its length prefix not counted. */
  readonly maxFrameBytes: number;
  /**
   * What may wait in this process to be sent on one connection; over it messages are dropped, calls refused. Answers
   * to the peer's calls may take as much again. One frame always fits.
   */
  readonly maxQueuedBytes: number;
  /** Calls in flight on one connection, each way. */
  readonly maxCallsPerLink: number;
  /** From the first packet to the answer to the Upgrade. */
  readonly dialTimeoutMs: number;
  /** Waits between two dials grow from this, doubled each time, … */
  readonly redialMinMs: number;
  /** … to this; after a refusal the wait is the longest at once. */
  readonly redialMaxMs: number;
  /** A connection on which nothing else was sent for so long carries a ping. */
  readonly pingIntervalMs: number;
  /** Ping intervals in a row without a byte from the peer after which its connection is given up. */
  readonly maxSilentIntervals: number;
  /** How long the links to a node outlive its place in the membership: it may still be owed an answer or an entry. */
  readonly unlistedLingerMs: number;
  /** How long a connection that is being closed may take to send what is queued. */
  readonly closeTimeoutMs: number;
}

export const DEFAULT_PEER_LIMITS: PeerLimits = {
  maxFrameBytes: 16 * 1024 * 1024,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxCallsPerLink: 4096,
  dialTimeoutMs: 3000,
  redialMinMs: 50,
  redialMaxMs: 2000,
  pingIntervalMs: 2000,
  maxSilentIntervals: 3,
  unlistedLingerMs: 10_000,
  closeTimeoutMs: 1000,
};
