import type { RaftConfig } from './config.ts';
import type { LogIndex, NodeId, Term } from './ids.ts';
import type { RaftLog } from './log.ts';
import type { Membership } from './membership.ts';
import { isSoleVoter, isVotingDisk } from './membership.ts';
import type { MembershipLog } from './membership-log.ts';
import type { Message, ReadId, Round } from './message.ts';
import type { Progress } from './progress.ts';
import type { HardState } from './ready.ts';

/** Everything one node knows. Changed only by the functions of this package, one input at a time. */
export interface RaftState {
  readonly config: RaftConfig;
  readonly log: RaftLog;
  readonly memberships: MembershipLog;
  readonly outbox: Outbox;
  term: Term;
  /** Changes only together with `term`, or once from null. */
  votedFor: NodeId | null;
  role: RoleState;
  /** Since a valid leader's last message, a granted vote, or the start of the own campaign. */
  electionElapsedTicks: number;
  /** When the next campaign starts, drawn anew for each. */
  electionTimeoutTicks: number;
  /** What the driver has confirmed to be on disk. */
  persisted: HardState;
}

/** What waits for the next Ready. */
export interface Outbox {
  early: Message[];
  messages: Message[];
  reads: { readonly id: ReadId; readonly index: LogIndex }[];
  droppedReads: ReadId[];
}

export type RoleState = FollowerState | PreCandidateState | CandidateState | LeaderState;

/** A learner is a follower that may not campaign: the log decides that, not the role. */
export interface FollowerState {
  readonly type: 'follower';
  leader: NodeId | null;
  /** Reads to forward with the next Ready. */
  unsentReads: ReadId[];
  /** Reads with the leader, by the id they travel under. */
  readonly forwardedReads: Map<ReadId, ForwardedRead>;
}

export interface ForwardedRead {
  readonly id: ReadId;
  ageTicks: number;
}

export interface PreCandidateState {
  readonly type: 'preCandidate';
  readonly votes: Map<NodeId, boolean>;
}

export interface CandidateState {
  readonly type: 'candidate';
  /** The own vote is among them only once it is on disk. */
  readonly votes: Map<NodeId, boolean>;
}

export interface LeaderState {
  readonly type: 'leader';
  /** Everyone who gets the log but this node: the effective membership, and who leaves until that is committed. */
  readonly peers: Map<NodeId, Progress>;
  /** The blank entry this leader began its term with; nothing counts as committed by it before. */
  readonly firstIndex: LogIndex;
  /** The latest round of contact begun. */
  round: Round;
  readonly reads: LeaderReads;
  transfer: Transfer | null;
  heartbeatElapsedTicks: number;
  quorumCheckElapsedTicks: number;
  /** Something may have become sendable since appends were last sent. */
  appendsDue: boolean;
}

export interface LeaderReads {
  /** No round has begun since they came, or no entry of this term is committed yet. */
  waiting: PendingRead[];
  /** Waiting for a quorum to answer a round begun after they came; oldest first. */
  confirming: ReadBatch[];
}

export interface PendingRead {
  /** Who asked; this node for its own. */
  readonly from: NodeId;
  readonly id: ReadId;
}

export interface ReadBatch {
  readonly round: Round;
  readonly index: LogIndex;
  readonly reads: readonly PendingRead[];
}

export interface Transfer {
  readonly to: NodeId;
  /** This leader has left the voters: whatever becomes of the transfer, it steps down. */
  readonly leaving: boolean;
  elapsedTicks: number;
}

export function effectiveMembership(state: RaftState): Membership {
  return state.memberships.effective.membership;
}

export function isOwnVoter(state: RaftState): boolean {
  return isVotingHere(state, effectiveMembership(state));
}

function isVotingHere({ config }: RaftState, membership: Membership): boolean {
  return isVotingDisk(membership, { node: config.id, instance: config.instance });
}

/**
 * Voters campaign. So does a node that a change has removed while it does not know that the change is committed: it
 * may be the only one with that entry, and then nobody else can win (thesis §4.2.2). Its own vote does not count.
 */
export function mayCampaign(state: RaftState): boolean {
  const { memberships, log } = state;
  return isOwnVoter(state) || isVotingHere(state, memberships.at(log.committed).membership);
}

/** The leader this node knows of, itself included. */
export function knownLeader(state: RaftState): NodeId | null {
  switch (state.role.type) {
    case 'leader':
      return state.config.id;
    case 'follower':
      return state.role.leader;
    case 'preCandidate':
    case 'candidate':
      return null;
  }
}

/**
 * Whether this node leads, or heard from a leader within the shortest election timeout: then another candidate would
 * only disturb (thesis §4.2.3).
 */
export function hearsLeader(state: RaftState): boolean {
  if (state.role.type === 'leader') return true;
  return knownLeader(state) !== null && state.electionElapsedTicks < state.config.electionTimeoutTicks;
}

/** Draws the next timeout in [n, 2n). A sole voter has nobody to wait for. */
export function resetElectionTimer(state: RaftState): void {
  const { electionTimeoutTicks, random, id } = state.config;
  state.electionElapsedTicks = 0;
  const alone = isSoleVoter(effectiveMembership(state), id) && isOwnVoter(state);
  state.electionTimeoutTicks = alone ? 1 : electionTimeoutTicks + Math.floor(random() * electionTimeoutTicks);
}

/** For messages that are rare: V8 builds an object that is written out in full many times faster than one that is spread. */
export function envelope(
  state: RaftState,
  to: NodeId,
): { readonly from: NodeId; readonly to: NodeId; readonly term: Term } {
  return { from: state.config.id, to, term: state.term };
}

/** For what promises nothing about this node's disk. */
export function sendEarly(state: RaftState, message: Message): void {
  state.outbox.early.push(message);
}

/**
 * For what promises that this node remembers: votes and acknowledgements leave only with the Ready that persists what
 * they are about (thesis §3.8). Sent any sooner, a crash would make this node vote twice or forget an entry that the
 * leader has counted.
 */
export function sendPersisted(state: RaftState, message: Message): void {
  state.outbox.messages.push(message);
}
