import type { Entry } from './entry.ts';
import type { LogId, LogIndex } from './ids.ts';
import type { Membership } from './membership.ts';
import type { HardState } from './ready.ts';

/**
 * Synchronous reads of what the driver has persisted. raft-core keeps only the recent tail of the log in memory and
 * asks here for the rest. A failing disk throws: the core has no answer to it, the node stops.
 */
export interface LogReader {
  /**
   * The entries from `from` up to, not including, `to`: as many of them as fit into `maxBytes`, and at least one.
   * The caller asks only for what is persisted and not compacted.
   */
  entries(range: {
    readonly from: LogIndex;
    readonly to: LogIndex;
    readonly maxBytes: number;
  }): readonly Entry[];
  /** The log id of one persisted entry; undefined when it is compacted or not there. */
  logId(index: LogIndex): LogId | undefined;
}

/** A membership and the entry that brought it. */
export interface StoredMembership {
  readonly logId: LogId;
  readonly membership: Membership;
}

/** What a node finds on its disk when it starts. */
export interface InitialState {
  readonly hardState: HardState;
  /** The last entry that is no longer in the log because a snapshot covers it; ZERO_LOG_ID when none. */
  readonly compacted: LogId;
  /** The last entry in the log; equal to `compacted` when the log is empty. */
  readonly lastLog: LogId;
  /** The last entry that the state machine has applied. */
  readonly applied: LogId;
  /**
   * The membership that the state machine holds, then those in the log behind `applied`, in order; empty on a node
   * that has joined nothing. The last one is in effect.
   */
  readonly memberships: readonly StoredMembership[];
}
