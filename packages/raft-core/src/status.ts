import { type LogId, type LogIndex, type NodeId, nextIndex, type Term } from './ids.ts';
import type { StoredMembership } from './log-reader.ts';
import type { Flow, Progress } from './progress.ts';
import type { Role } from './ready.ts';
import { knownLeader, type LeaderState, mayCampaign, type RaftState } from './state.ts';

export interface PeerStatus {
  readonly matched: LogIndex;
  readonly next: LogIndex;
  readonly state: Flow['type'];
  readonly recentlyActive: boolean;
}

/** Where a node stands in its cluster: cheap enough to be looked at after every turn. */
export interface RaftPlace {
  readonly role: Role;
  readonly term: Term;
  readonly leader: NodeId | null;
  /** In effect: appended, perhaps not committed. */
  readonly membership: StoredMembership;
  readonly committedMembership: StoredMembership;
}

/** One node's view at one moment; a value that later inputs do not change. */
export interface RaftStatus extends RaftPlace {
  readonly id: NodeId;
  /** As configured: see RaftConfig. */
  readonly instance: string | undefined;
  readonly votedFor: NodeId | null;
  readonly lastLog: LogId;
  readonly committed: LogIndex;
  readonly applied: LogIndex;
  readonly persisted: LogIndex;
  readonly compacted: LogId;
  /** The leader's view of everyone it feeds, itself included; empty on others. */
  readonly peers: ReadonlyMap<NodeId, PeerStatus>;
  readonly transferTo: NodeId | null;
  /** The entry that a leader began its term with: before it is committed, it commits nothing. Null on others. */
  readonly firstIndex: LogIndex | null;
  readonly timers: Timers;
}

/** In ticks. */
export interface Timers {
  /** As configured: the shortest time without a leader after which a node campaigns. */
  readonly electionTimeoutTicks: number;
  /** Since a valid leader was heard, a vote was granted, or the own campaign began. */
  readonly electionElapsedTicks: number;
  /** Since a leader last found a quorum to have answered; 0 on others. */
  readonly quorumCheckElapsedTicks: number;
  /** Since a leader began to hand over; 0 when it does not. */
  readonly transferElapsedTicks: number;
}

export function placeOf(state: RaftState): RaftPlace {
  const { log, memberships, role } = state;
  return {
    role: role.type === 'follower' && !mayCampaign(state) ? 'learner' : role.type,
    term: state.term,
    leader: knownLeader(state),
    membership: memberships.effective,
    committedMembership: memberships.at(log.committed),
  };
}

export function statusOf(state: RaftState): RaftStatus {
  const { log, role } = state;
  const { term, leader, index } = log.last;
  const place = placeOf(state);
  // Property by property: a spread makes objects that are slow to read, and whoever checks invariants reads many.
  return {
    role: place.role,
    term: place.term,
    leader: place.leader,
    membership: place.membership,
    committedMembership: place.committedMembership,
    id: state.config.id,
    instance: state.config.instance,
    votedFor: state.votedFor,
    lastLog: { term, leader, index },
    committed: log.committed,
    applied: log.applied,
    persisted: log.persisted,
    compacted: log.compacted,
    peers: role.type === 'leader' ? peersOf(state, role) : new Map(),
    transferTo: role.type === 'leader' ? (role.transfer?.to ?? null) : null,
    firstIndex: role.type === 'leader' ? role.firstIndex : null,
    timers: timersOf(state),
  };
}

function timersOf({ config, role, electionElapsedTicks }: RaftState): Timers {
  const leads = role.type === 'leader';
  return {
    electionTimeoutTicks: config.electionTimeoutTicks,
    electionElapsedTicks,
    quorumCheckElapsedTicks: leads ? role.quorumCheckElapsedTicks : 0,
    transferElapsedTicks: leads ? (role.transfer?.elapsedTicks ?? 0) : 0,
  };
}

function peersOf({ config, log }: RaftState, leader: LeaderState): ReadonlyMap<NodeId, PeerStatus> {
  const own: PeerStatus = {
    matched: log.persisted,
    next: nextIndex(log.last.index),
    state: 'replicate',
    recentlyActive: true,
  };
  const peers = [...leader.peers].map(([node, progress]) => [node, peerStatus(progress)] as const);
  return new Map([[config.id, own] as const, ...peers].sort(([a], [b]) => a - b));
}

function peerStatus({ matched, next, flow, recentlyActive }: Progress): PeerStatus {
  return { matched, next, state: flow.type, recentlyActive };
}
