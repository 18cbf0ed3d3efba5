import type { WriteResult } from '@metad/kv-store';
import type { LogId, Membership, NodeId } from '@metad/raft-core';

/** What any node may ask the leader to do: its own clients' requests, forwarded once over the peer connection. */
export type Call =
  | { readonly type: 'propose'; readonly command: Uint8Array }
  | { readonly type: 'addLearner'; readonly node: NodeId; readonly addr: string }
  | { readonly type: 'removeLearner'; readonly node: NodeId }
  | { readonly type: 'changeMembership'; readonly voters: readonly NodeId[] }
  /** null: to whichever voter is furthest. */
  | { readonly type: 'transferLeader'; readonly to: NodeId | null };

export type CallOutcome =
  /** Committed under `logId` and applied on the node that answers, with that result. */
  | {
      readonly type: 'done';
      readonly logId: LogId;
      readonly result: WriteResult;
      readonly membership: Membership;
    }
  /** Definitely not done, neither now nor later. */
  | { readonly type: 'refused'; readonly error: CallError }
  /** It may or may not take effect, now or later. */
  | { readonly type: 'unknown'; readonly message: string };

export type CallError =
  /** The asked node does not lead; `leader` is whom it follows, if anyone. */
  | { readonly type: 'forwardToLeader'; readonly leader: NodeId | null }
  /** There was no open connection to the leader: nothing was sent. */
  | { readonly type: 'noLink'; readonly message: string }
  | { readonly type: 'overloaded' }
  | { readonly type: 'tooLarge'; readonly maxBytes: number }
  /** The state takes as much as it may, and the command might make it larger. */
  | { readonly type: 'stateFull'; readonly maxBytes: number }
  | { readonly type: 'stopping' }
  /** Another membership change is not committed yet. */
  | { readonly type: 'inProgress'; readonly change: LogId }
  | { readonly type: 'emptyMembership' }
  | { readonly type: 'learnerNotFound'; readonly node: NodeId }
  /** The request contradicts the membership or the other node; the message says what to do about it. */
  | { readonly type: 'conflict'; readonly message: string }
  /** The node that is to be added or promoted could not be reached, or does not catch up. */
  | { readonly type: 'unreachable'; readonly message: string };
