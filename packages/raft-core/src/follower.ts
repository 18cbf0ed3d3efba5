import { assert } from './assert.ts';
import { preCampaign } from './candidate.ts';
import type { Entry } from './entry.ts';
import { addToIndex, compareLogId, type LogId, type LogIndex, maxIndex, minIndex } from './ids.ts';
import type { RaftLog } from './log.ts';
import type { AppendEntries, AppendResult, Heartbeat, InstallSnapshot } from './message.ts';
import { ageForwardedReads } from './read-index.ts';
import { becomeFollower } from './role.ts';
import { mayCampaign, type RaftState, resetElectionTimer, sendPersisted } from './state.ts';

/** Every message of the leader of this term keeps elections away. */
function hearLeader(state: RaftState, message: AppendEntries | Heartbeat | InstallSnapshot): void {
  assert(
    state.role.type !== 'leader',
    () => `two leaders in term ${state.term}: this node and ${message.from}`,
  );
  becomeFollower(state, { term: message.term, leader: message.from });
  state.electionElapsedTicks = 0;
}

export function handleAppendEntries(state: RaftState, message: AppendEntries): void {
  hearLeader(state, message);
  respond(state, message, maybeAppend(state, message));
}

function respond(
  state: RaftState,
  { from, round }: AppendEntries | InstallSnapshot,
  result: AppendResult,
): void {
  sendPersisted(state, {
    from: state.config.id,
    to: from,
    term: state.term,
    type: 'appendEntriesResponse',
    result,
    round,
  });
}

function maybeAppend(state: RaftState, { previous, entries, committed }: AppendEntries): AppendResult {
  const { log } = state;
  // What is committed here is in every later leader's log: an append that begins before it agrees up to there.
  const known = previous.index < log.committed;
  if (!known && !log.holds(previous))
    return { type: 'rejected', rejected: previous.index, hint: hint(state, previous) };
  takeOver(state, known ? behindCommitted(log, entries) : entries);
  // Not the end of the own log: what lies behind this message's entries may be a divergent suffix (paper §5.3).
  const verified = addToIndex(previous.index, entries.length);
  log.commitTo(minIndex(committed, verified));
  return { type: 'accepted', matched: maxIndex(verified, log.committed) };
}

/** The entry that is the last committed one here is in every later leader's log (paper §5.4), or all is lost. */
function behindCommitted(log: RaftLog, entries: readonly Entry[]): readonly Entry[] {
  const [first] = entries;
  if (first === undefined) return entries;
  const count = log.committed - first.index + 1;
  const last = entries[count - 1];
  assert(
    last === undefined || log.holds(last),
    () => `an append contradicts entry ${log.committed}, committed`,
  );
  return entries.slice(count);
}

/** Appends what is new, and truncates the own log only where it is known to differ: an append may be an old one. */
function takeOver(state: RaftState, entries: readonly Entry[]): void {
  const { log, memberships } = state;
  let fresh = false;
  for (const entry of entries) {
    // Behind one that is new all are: the log ends there.
    fresh ||= !log.holds(entry);
    if (!fresh) continue;
    if (entry.index <= log.last.index) {
      log.truncateFrom(entry.index);
      memberships.truncateFrom(entry.index);
    }
    log.append(entry);
    memberships.append(entry);
  }
}

function hint({ log }: RaftState, previous: LogId): LogId {
  const agreeing = log.lastOfTermUpTo({ term: previous.term, at: previous.index, after: log.committed });
  const committed = log.logId(log.committed);
  assert(committed !== undefined, 'the log is compacted only up to what is committed');
  return agreeing ?? { term: committed.term, leader: committed.leader, index: committed.index };
}

export function handleHeartbeat(state: RaftState, message: Heartbeat): void {
  hearLeader(state, message);
  commitMatched(state, message.committed);
  sendPersisted(state, {
    from: state.config.id,
    to: message.from,
    term: state.term,
    type: 'heartbeatResponse',
    round: message.round,
  });
}

/** Beyond the own log lies only what this node has acknowledged and lost: there is nothing it could commit there. */
function commitMatched({ log }: RaftState, committed: LogIndex): void {
  if (committed <= log.last.index) log.commitTo(committed);
}

export function handleInstallSnapshot(state: RaftState, message: InstallSnapshot): void {
  hearLeader(state, message);
  const { log, memberships } = state;
  const { last } = message.snapshot;
  if (last.index > log.committed) {
    if (log.holds(last)) {
      log.commitTo(last.index);
    } else {
      log.restore(message.snapshot);
      memberships.restore(message.snapshot);
    }
  } else {
    const own = log.logId(last.index);
    assert(
      own === undefined || compareLogId(own, last) === 0,
      'a snapshot agrees with what is committed here',
    );
  }
  respond(state, message, { type: 'accepted', matched: log.committed });
}

/** The clock of every node that does not lead. */
export function tickElection(state: RaftState): void {
  if (state.role.type === 'follower') ageForwardedReads(state, state.role);
  state.electionElapsedTicks += 1;
  if (state.electionElapsedTicks < state.electionTimeoutTicks) return;
  if (mayCampaign(state)) {
    preCampaign(state);
    return;
  }
  resetElectionTimer(state);
  becomeFollower(state, { term: state.term, leader: null });
}
