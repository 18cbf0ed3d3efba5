import { assert } from './assert.ts';
import { type Entry, entryBytes, type Payload } from './entry.ts';
import {
  type LogId,
  type LogIndex,
  maxIndex,
  minIndex,
  type NodeId,
  nextIndex,
  previousIndex,
} from './ids.ts';
import type { RaftLog } from './log.ts';
import { isVoter, members } from './membership.ts';
import type { AppendEntriesResponse, AppendResult } from './message.ts';
import { Progress } from './progress.ts';
import { effectiveMembership, envelope, type LeaderState, type RaftState, sendEarly } from './state.ts';

/** Appends to the leader's own log. It leaves with the next Ready, to the disk and to the peers alike. */
export function appendEntry(state: RaftState, leader: LeaderState, payload: Payload): LogId {
  const { log, term, config } = state;
  const entry: Entry = { term, leader: config.id, index: nextIndex(log.last.index), payload };
  log.append(entry);
  state.memberships.append(entry);
  leader.appendsDue = true;
  if (payload.type === 'membership') addNewPeers(state, leader);
  return log.last;
}

export function addNewPeers(state: RaftState, leader: LeaderState): void {
  for (const node of members(effectiveMembership(state))) {
    if (node === state.config.id || leader.peers.has(node)) continue;
    leader.peers.set(node, new Progress(nextIndex(state.log.last.index)));
  }
}

/**
 * Forgets the peers that a committed membership has removed. Until then they were fed on, and now get the commit
 * itself, so that most of them learn that they are out; one that misses it stays quiet by pre-vote.
 */
export function dropRemovedPeers(state: RaftState, leader: LeaderState): void {
  const staying = members(effectiveMembership(state));
  const batches = new Map<LogIndex, Batch>();
  for (const [node, progress] of leader.peers) {
    if (staying.has(node)) continue;
    const inLog = state.log.logId(previousIndex(progress.next)) !== undefined;
    if (progress.flow.type === 'replicate' && inLog) sendAppend(state, leader, { node, progress }, batches);
    leader.peers.delete(node);
  }
}

interface Peer {
  readonly node: NodeId;
  readonly progress: Progress;
}

/** The entries of one append, shared by all peers that are equally far. */
interface Batch {
  readonly entries: readonly Entry[];
  readonly bytes: number;
}

const NO_ENTRIES: Batch = { entries: [], bytes: 0 };

/** Whether `sendAppends` would send something. */
export function hasAppendsDue(state: RaftState, leader: LeaderState): boolean {
  if (!leader.appendsDue) return false;
  for (const progress of leader.peers.values()) if (wantsAppend(state, progress)) return true;
  return false;
}

/** Feeds every peer as far as its window allows. */
export function sendAppends(state: RaftState, leader: LeaderState): void {
  if (!leader.appendsDue) return;
  const batches = new Map<LogIndex, Batch>();
  for (const [node, progress] of leader.peers) {
    while (wantsAppend(state, progress)) sendAppend(state, leader, { node, progress }, batches);
  }
  leader.appendsDue = false;
}

function wantsAppend({ log }: RaftState, { flow, next, committedSent }: Progress): boolean {
  switch (flow.type) {
    case 'snapshot':
      return false;
    case 'probe':
      return !flow.paused;
    case 'replicate':
      if (flow.nudge) return true;
      return !flow.inflight.full && (next <= log.last.index || committedSent < log.committed);
  }
}

/** One append, or a snapshot when the log before `next` is gone. `batches`: what was read of this log so far. */
function sendAppend(
  state: RaftState,
  leader: LeaderState,
  { node, progress }: Peer,
  batches: Map<LogIndex, Batch>,
): void {
  const { log, config } = state;
  const previous = log.logId(previousIndex(progress.next));
  if (previous === undefined) {
    sendSnapshot(state, leader, { node, progress });
    return;
  }
  const { flow, next } = progress;
  const empty = next > log.last.index || (flow.type === 'replicate' && flow.inflight.full);
  const { entries, bytes } = empty ? NO_ENTRIES : batchFrom(state, next, batches);
  sendEarly(state, {
    from: config.id,
    to: node,
    term: state.term,
    type: 'appendEntries',
    previous: { term: previous.term, leader: previous.leader, index: previous.index },
    entries,
    committed: log.committed,
    round: leader.round,
  });
  progress.committedSent = log.committed;
  progress.sent(entries.length, bytes);
}

function batchFrom({ log, config }: RaftState, from: LogIndex, batches: Map<LogIndex, Batch>): Batch {
  const known = batches.get(from);
  if (known !== undefined) return known;
  const entries = log.slice({ from, to: nextIndex(log.last.index), maxBytes: config.maxAppendBytes });
  const batch = { entries, bytes: entries.reduce((bytes, entry) => bytes + entryBytes(entry), 0) };
  batches.set(from, batch);
  return batch;
}

/** Asks the driver for a snapshot at or beyond what is applied here; the peer waits for it. */
function sendSnapshot(state: RaftState, leader: LeaderState, { node, progress }: Peer): void {
  const { log, memberships } = state;
  const applied = log.logId(log.applied);
  assert(applied !== undefined, 'the log is compacted only up to what is applied');
  const last = { term: applied.term, leader: applied.leader, index: applied.index };
  const { membership, logId } = memberships.at(last.index);
  sendEarly(state, {
    ...envelope(state, node),
    type: 'installSnapshot',
    snapshot: { last, membership, membershipLogId: logId },
    round: leader.round,
  });
  progress.becomeSnapshot(last.index);
}

/** Begins a round of contact: who answers it was still with this leader after now. */
export function beginRound(state: RaftState, leader: LeaderState, nodes: 'peers' | 'voters'): void {
  const membership = effectiveMembership(state);
  leader.round += 1;
  for (const [node, progress] of leader.peers) {
    if (nodes === 'voters' && !isVoter(membership, node)) continue;
    sendEarly(state, {
      from: state.config.id,
      to: node,
      term: state.term,
      type: 'heartbeat',
      // Beyond `matched` the peer may hold other entries, and must not take them for committed.
      committed: minIndex(progress.matched, state.log.committed),
      round: leader.round,
    });
  }
}

/** Returns whether the peer's matched index moved, so that more may be committed. */
export function maybeMatchPeer(
  state: RaftState,
  leader: LeaderState,
  response: AppendEntriesResponse,
): boolean {
  const progress = leader.peers.get(response.from);
  if (progress === undefined) return false;
  leader.appendsDue = true;
  if (response.result.type === 'accepted') return maybeAccept(state, progress, response.result.matched);
  backUp(state, progress, response.result);
  return false;
}

function maybeAccept(state: RaftState, progress: Progress, matched: LogIndex): boolean {
  assert(matched <= state.log.last.index, 'a peer matches no more than the leader has');
  const moved = progress.maybeMatch(matched);
  const { flow } = progress;
  const caughtUp = flow.type === 'snapshot' && progress.matched >= state.log.compacted.index;
  if (caughtUp || (flow.type === 'probe' && matched === progress.matched)) {
    const { maxInflightMessages, maxInflightBytes } = state.config;
    progress.becomeReplicate({ maxMessages: maxInflightMessages, maxBytes: maxInflightBytes });
  }
  return moved;
}

/** Moves `next` back over a divergent suffix, a whole term at a time (paper §5.3). */
function backUp(
  { log }: RaftState,
  progress: Progress,
  { rejected, hint }: Extract<AppendResult, { type: 'rejected' }>,
): void {
  const { flow, matched, next } = progress;
  // An answer to an append that later answers have overtaken.
  if (flow.type === 'snapshot' || rejected <= matched) return;
  if (flow.type === 'probe' && rejected !== previousIndex(next)) return;
  // Never again at `rejected`, so that each rejection makes progress.
  progress.becomeProbe(minIndex(rejected, nextIndex(lastThatMayAgree(log, matched, hint))), false);
}

function lastThatMayAgree(log: RaftLog, matched: LogIndex, hint: LogId): LogIndex {
  const after = maxIndex(matched, log.compacted.index);
  if (hint.index <= after) return hint.index;
  return log.lastOfTermUpTo({ term: hint.term, at: hint.index, after })?.index ?? after;
}

/** An answer to a heartbeat shows that the way is open, and is the sign by which lost appends are noticed. */
export function handleContact(state: RaftState, leader: LeaderState, progress: Progress): void {
  const { flow } = progress;
  switch (flow.type) {
    case 'snapshot':
      return;
    case 'probe':
      flow.paused = false;
      leader.appendsDue = true;
      return;
    case 'replicate':
      if (progress.matched < previousIndex(progress.next) && flow.matchedAtHeartbeat === progress.matched) {
        flow.nudge = true;
        leader.appendsDue = true;
      }
      flow.matchedAtHeartbeat = progress.matched;
      if (progress.committedSent < state.log.committed) leader.appendsDue = true;
      return;
  }
}
