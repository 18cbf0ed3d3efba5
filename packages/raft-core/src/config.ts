import type { NodeId } from './ids.ts';

export interface RaftConfig {
  readonly id: NodeId;
  /**
   * Names this node's disk. A membership that records another instance under `id` means an earlier disk of that id, not
   * this node. Absent: any does.
   */
  readonly instance?: string;
  /** A follower that hears no leader campaigns after a random time in [n, 2n). */
  readonly electionTimeoutTicks: number;
  /** How often a leader contacts its peers; well below `electionTimeoutTicks`. */
  readonly heartbeatTicks: number;
  /** Uniform in [0, 1). The core's only source of randomness. */
  readonly random: () => number;
  /** Entries in one appendEntries; a single larger entry still travels alone. */
  readonly maxAppendBytes: number;
  /** Appends sent to one peer and not answered yet. */
  readonly maxInflightMessages: number;
  /** Their entries' bytes, per peer. */
  readonly maxInflightBytes: number;
  /** Commands that a leader has appended and not committed; it refuses more. */
  readonly maxUncommittedBytes: number;
  /** Entries handed out in one Ready.committed; a single larger entry still goes alone. */
  readonly maxCommittedBytes: number;
  /** The part of the log held in memory. Entries not yet persisted or not yet applied stay beyond it. */
  readonly maxTailBytes: number;
  /** Reads waiting for a read index on this node (a leader's include those forwarded to it); more are dropped. */
  readonly maxPendingReads: number;
}

export const DEFAULT_RAFT_LIMITS: Omit<RaftConfig, 'id' | 'random'> = {
  electionTimeoutTicks: 10,
  heartbeatTicks: 1,
  maxAppendBytes: 1024 * 1024,
  maxInflightMessages: 64,
  maxInflightBytes: 8 * 1024 * 1024,
  maxUncommittedBytes: 64 * 1024 * 1024,
  maxCommittedBytes: 4 * 1024 * 1024,
  maxTailBytes: 16 * 1024 * 1024,
  maxPendingReads: 65_536,
};

const POSITIVE = [
  'id',
  'electionTimeoutTicks',
  'heartbeatTicks',
  'maxAppendBytes',
  'maxInflightMessages',
  'maxInflightBytes',
  'maxUncommittedBytes',
  'maxCommittedBytes',
  'maxTailBytes',
  'maxPendingReads',
] as const;

/** Throws a RangeError that names the first setting out of range. */
export function validateConfig(config: RaftConfig): void {
  for (const name of POSITIVE) {
    const value = config[name];
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`${name} must be a positive integer, not ${value}`);
    }
  }
  if (config.electionTimeoutTicks <= config.heartbeatTicks) {
    throw new RangeError(
      `electionTimeoutTicks (${config.electionTimeoutTicks}) must exceed heartbeatTicks (${config.heartbeatTicks})`,
    );
  }
}
