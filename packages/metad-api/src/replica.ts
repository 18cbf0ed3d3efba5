import type { AppliedBatch, StateSource, Version, WriteCommand } from '@metad/kv-store';

/**
 * What this package needs of a node. `cluster-api` implements it over a MessagePort to the consensus thread, tests
 * over a store in the same process.
 */
export interface Replica {
  /** Reads of what this node has applied; one call of `read` is one consistent read transaction. */
  readonly state: StateSource;
  /**
   * Replicates one write from whichever node this is; the leader gives it its time. When it resolves to `applied`,
   * `state` already shows it.
   */
  propose(write: WriteCommand): Promise<ProposeOutcome>;
  /** Resolves once `state` shows everything that was committed anywhere before the call. */
  readBarrier(): Promise<BarrierOutcome>;
  /**
   * The newest version that `state` shows: a read that begins now sees it, or a newer one. May be ahead of what was
   * delivered to those who subscribed.
   */
  version(): Version;
  /** Calls `listener` once for each applied batch, in log order, until the returned function is called. */
  subscribe(listener: (batch: AppliedBatch) => void): () => void;
  status(): ReplicaStatus;
}

export type ProposeOutcome =
  /**
   * Committed, and applied on this node. `version` is the state's version right after it: right after the first time,
   * when the write was `repeated` under its idempotency key.
   */
  | { readonly type: 'applied'; readonly version: Version; readonly repeated: boolean }
  /** Definitely not applied: the state, at this version, does not meet the precondition of that index. */
  | { readonly type: 'preconditionFailed'; readonly version: Version; readonly precondition: number }
  /** Definitely not applied: another request had its idempotency key. `version` is the state's. */
  | { readonly type: 'keyReused'; readonly version: Version }
  /** Definitely not applied, neither now nor later: safe to send again. */
  | { readonly type: 'refused'; readonly reason: RefusalReason; readonly message: string }
  /** It may or may not be applied, now or later. */
  | { readonly type: 'unknown'; readonly message: string };

export type RefusalReason =
  /** No leader was found within the time that a write may wait for one. */
  | 'noLeader'
  /** Too much is in flight already. */
  | 'overloaded'
  /** Larger than what one log entry may hold. */
  | 'tooLarge'
  /** The state takes as much as it may: only deletions are taken, until there is room again. */
  | 'stateFull'
  /** This node is stopping. */
  | 'stopping';

export type BarrierOutcome =
  | { readonly type: 'ready' }
  /** No quorum answered in time, or this node does not catch up. */
  | { readonly type: 'unavailable'; readonly message: string };

export interface ReplicaStatus {
  /** Whether this node has applied, since its start, all that was committed when it first heard of a leader. */
  readonly caughtUp: boolean;
  /** Whether a leader is known. */
  readonly hasLeader: boolean;
  /** Why this node belongs to its cluster no more, and what to do; null or absent: it does. */
  readonly removal?: string | null;
  /** Why this node must not be asked, though it runs; null or absent: it may. */
  readonly quarantine?: string | null;
}
