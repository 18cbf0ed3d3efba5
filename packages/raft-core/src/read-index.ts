import type { LogIndex, NodeId } from './ids.ts';
import type { ReadId, ReadIndexRequest, ReadIndexResponse } from './message.ts';
import { reachedByQuorum } from './quorum.ts';
import { beginRound } from './replication.ts';
import {
  effectiveMembership,
  envelope,
  type FollowerState,
  type LeaderState,
  type PendingRead,
  type RaftState,
  sendEarly,
} from './state.ts';

/*
 * Linearizable reads without a log entry (thesis §6.4). The leader notes its commit index and answers once a quorum
 * has answered a round of contact that began after the read came: nobody else can have led at that moment. Any other
 * node asks the leader. No clock takes part, so a node that was stalled for long cannot serve an old state.
 */

/** Takes a read in, whatever the role: its result comes through a Ready. */
export function readIndex(state: RaftState, id: ReadId): void {
  const { role, config, outbox } = state;
  switch (role.type) {
    case 'leader':
      if (!maybeQueue(state, role, { from: config.id, id })) outbox.droppedReads.push(id);
      return;
    case 'follower':
      if (role.leader === null || pendingCount(role) >= config.maxPendingReads) outbox.droppedReads.push(id);
      else role.unsentReads.push(id);
      return;
    case 'preCandidate':
    case 'candidate':
      outbox.droppedReads.push(id);
      return;
  }
}

function pendingCount(follower: FollowerState): number {
  return follower.unsentReads.length + follower.forwardedReads.size;
}

function maybeQueue(state: RaftState, leader: LeaderState, read: PendingRead): boolean {
  const { waiting, confirming } = leader.reads;
  const pending = confirming.reduce((count, batch) => count + batch.reads.length, waiting.length);
  if (pending >= state.config.maxPendingReads) return false;
  waiting.push(read);
  return true;
}

/**
 * The reads of one follower since its last Ready travel together. On the wire they have ids that no earlier life of
 * this node has used, so that an answer from before a restart is not taken for one of these.
 */
export function forwardReads(state: RaftState, follower: FollowerState, wireId: () => ReadId): void {
  if (follower.unsentReads.length === 0 || follower.leader === null) return;
  const reads: ReadId[] = [];
  for (const id of follower.unsentReads) {
    const travelling = wireId();
    follower.forwardedReads.set(travelling, { id, ageTicks: 0 });
    reads.push(travelling);
  }
  follower.unsentReads = [];
  sendEarly(state, {
    from: state.config.id,
    to: follower.leader,
    term: state.term,
    type: 'readIndexRequest',
    reads,
  });
}

/** Gives up the reads that the leader has not answered for an election timeout. */
export function ageForwardedReads(state: RaftState, follower: FollowerState): void {
  for (const [travelling, read] of follower.forwardedReads) {
    read.ageTicks += 1;
    if (read.ageTicks < state.config.electionTimeoutTicks) continue;
    follower.forwardedReads.delete(travelling);
    state.outbox.droppedReads.push(read.id);
  }
}

export function handleReadIndexRequest(state: RaftState, request: ReadIndexRequest): void {
  const refused: ReadId[] = [];
  for (const id of request.reads) {
    const taken = state.role.type === 'leader' && maybeQueue(state, state.role, { from: request.from, id });
    if (!taken) refused.push(id);
  }
  if (refused.length > 0) refuseReads(state, { to: request.from, reads: refused });
}

export function refuseReads(
  state: RaftState,
  { to, reads }: { readonly to: NodeId; readonly reads: readonly ReadId[] },
): void {
  sendEarly(state, { ...envelope(state, to), type: 'readIndexResponse', reads, index: null });
}

export function handleReadIndexResponse(state: RaftState, response: ReadIndexResponse): void {
  const { role, outbox } = state;
  if (role.type !== 'follower') return;
  for (const travelling of response.reads) {
    const read = role.forwardedReads.get(travelling);
    if (read === undefined) continue;
    role.forwardedReads.delete(travelling);
    if (response.index === null) outbox.droppedReads.push(read.id);
    else outbox.reads.push({ id: read.id, index: response.index });
  }
}

/**
 * Whether the waiting reads can begin their round: a new leader knows what is committed only after the first entry of
 * its own term is (thesis §6.4). One round at a time, so that those who come meanwhile share the next one.
 */
export function canBeginReads(state: RaftState, leader: LeaderState): boolean {
  const { waiting, confirming } = leader.reads;
  return waiting.length > 0 && confirming.length === 0 && state.log.committed >= leader.firstIndex;
}

export function beginReads(state: RaftState, leader: LeaderState): void {
  beginRound(state, leader, 'voters');
  confirmWaiting(state, leader);
  answerConfirmed(state, leader);
}

/** The waiting reads are covered by the round that has just begun. */
export function confirmWaiting(state: RaftState, leader: LeaderState): void {
  const { reads } = leader;
  if (reads.waiting.length === 0 || state.log.committed < leader.firstIndex) return;
  reads.confirming.push({ round: leader.round, index: state.log.committed, reads: reads.waiting });
  reads.waiting = [];
}

/** Answers the reads whose round a quorum has answered. */
export function answerConfirmed(state: RaftState, leader: LeaderState): void {
  const { confirming } = leader.reads;
  if (confirming.length === 0) return;
  const { id } = state.config;
  const confirmed = reachedByQuorum(effectiveMembership(state).configs, (node) =>
    node === id ? leader.round : (leader.peers.get(node)?.answeredRound ?? 0),
  );
  while (confirming[0] !== undefined && confirming[0].round <= confirmed) {
    const batch = confirming.shift();
    if (batch !== undefined) answer(state, batch.index, batch.reads);
  }
}

function answer(state: RaftState, index: LogIndex, reads: readonly PendingRead[]): void {
  const remote = new Map<NodeId, ReadId[]>();
  for (const { from, id } of reads) {
    const ids = remote.get(from);
    if (from === state.config.id) state.outbox.reads.push({ id, index });
    else if (ids === undefined) remote.set(from, [id]);
    else ids.push(id);
  }
  for (const [to, ids] of remote) {
    sendEarly(state, {
      from: state.config.id,
      to,
      term: state.term,
      type: 'readIndexResponse',
      reads: ids,
      index,
    });
  }
}
