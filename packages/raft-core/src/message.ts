import type { Entry } from './entry.ts';
import type { LogId, LogIndex, NodeId, Term } from './ids.ts';
import type { Membership } from './membership.ts';

/** What every message carries: who, to whom, and in which term. A pre-vote carries the term it would campaign in. */
interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

/** Counts a leader's rounds of contact with its peers. A read is safe once a round begun after it is answered. */
export type Round = number;

/** What a snapshot holds: everything up to and with `last`, and the membership in effect there. */
export interface SnapshotMeta {
  readonly last: LogId;
  readonly membership: Membership;
  /** The entry that brought `membership`. */
  readonly membershipLogId: LogId;
}

/** One read that waits for a read index; unique per asking node since its start. */
export type ReadId = number;

export interface RequestPreVote extends Envelope {
  readonly type: 'requestPreVote';
  readonly lastLog: LogId;
}
export interface RequestPreVoteResponse extends Envelope {
  readonly type: 'requestPreVoteResponse';
  readonly granted: boolean;
}
export interface RequestVote extends Envelope {
  readonly type: 'requestVote';
  readonly lastLog: LogId;
  /** The present leader asked for this election: it overrides the "I hear a leader" refusal (thesis §3.10). */
  readonly transfer: boolean;
}
export interface RequestVoteResponse extends Envelope {
  readonly type: 'requestVoteResponse';
  readonly granted: boolean;
}
export interface AppendEntries extends Envelope {
  readonly type: 'appendEntries';
  /** The entry just before `entries`; the receiver must hold it. */
  readonly previous: LogId;
  readonly entries: readonly Entry[];
  /** The leader's commit index; the receiver may use it only up to the prefix that this message verifies. */
  readonly committed: LogIndex;
  readonly round: Round;
}
/** What a receiver makes of an append. */
export type AppendResult =
  /** The log agrees with the leader's, and is on disk, up to `matched`. */
  | { readonly type: 'accepted'; readonly matched: LogIndex }
  /**
   * `previous`, at the index `rejected`, was not there. `hint` is the highest entry of the receiver that may agree
   * with the leader's log, so that a divergent suffix is backed over by term, not entry by entry (paper §5.3).
   */
  | { readonly type: 'rejected'; readonly rejected: LogIndex; readonly hint: LogId };

export interface AppendEntriesResponse extends Envelope {
  readonly type: 'appendEntriesResponse';
  readonly result: AppendResult;
  readonly round: Round;
}
/** Contact without entries. Its `committed` never exceeds what the receiver is known to match. */
export interface Heartbeat extends Envelope {
  readonly type: 'heartbeat';
  readonly committed: LogIndex;
  readonly round: Round;
}
export interface HeartbeatResponse extends Envelope {
  readonly type: 'heartbeatResponse';
  readonly round: Round;
}
/**
 * The receiver is so far behind that the log it needs is gone. Holds no data: the driver sends the snapshot's bytes
 * first, and the receiving driver steps this message only once it holds them whole.
 */
export interface InstallSnapshot extends Envelope {
  readonly type: 'installSnapshot';
  readonly snapshot: SnapshotMeta;
  readonly round: Round;
}
export interface TimeoutNow extends Envelope {
  readonly type: 'timeoutNow';
}
/** A follower's or learner's reads, forwarded to the leader. */
export interface ReadIndexRequest extends Envelope {
  readonly type: 'readIndexRequest';
  readonly reads: readonly ReadId[];
}
export interface ReadIndexResponse extends Envelope {
  readonly type: 'readIndexResponse';
  readonly reads: readonly ReadId[];
  /** Serve the reads once this is applied; null: the leader could not vouch for them, ask again. */
  readonly index: LogIndex | null;
}

export type Message =
  | RequestPreVote
  | RequestPreVoteResponse
  | RequestVote
  | RequestVoteResponse
  | AppendEntries
  | AppendEntriesResponse
  | Heartbeat
  | HeartbeatResponse
  | InstallSnapshot
  | TimeoutNow
  | ReadIndexRequest
  | ReadIndexResponse;
