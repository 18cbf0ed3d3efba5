import { assert } from './assert.ts';
import { compareLogId, type LogIndex, maxIndex, minIndex, nextTerm } from './ids.ts';
import { isSoleVoter } from './membership.ts';
import type { AppendEntries, Heartbeat, InstallSnapshot, Message, RequestVote } from './message.ts';
import type { RaftStatus } from './status.ts';

/*
 * What one input may do. `invariants.ts` says what must hold whatever the input was; here is what only its sender or
 * its content allows.
 */

/** What time alone may do between `before` and `after`. Throws an AssertionError. */
export function checkTick(before: RaftStatus, after: RaftStatus): void {
  const alone = isSoleVoter(before.membership.membership, before.id);
  assert(
    after.term === before.term || alone,
    'time alone raises no term: first comes a pre-vote (thesis §9.6)',
  );
  assert(compareLogId(after.lastLog, before.lastLog) === 0, 'time alone appends nothing');
  assert(after.committed === before.committed, 'time alone commits nothing');
}

/** What one message may do between `before` and `after`. Throws an AssertionError. */
export function checkStep(before: RaftStatus, message: Message, after: RaftStatus): void {
  if (mustBeIgnored(before, message)) {
    checkUnchanged(before, after, `${message.type} of term ${message.term}`);
    return;
  }
  checkTerm(before, message, after);
  checkElectionTimer(before, message, after);
  switch (message.type) {
    case 'requestVote':
      if (hasVoted(before, after)) checkGrant(before, message);
      return;
    case 'appendEntries':
    case 'heartbeat':
    case 'installSnapshot':
      checkFollowing(before, message, after);
      return;
    case 'appendEntriesResponse':
      return;
    default:
      assert(after.committed === before.committed, () => `${message.type} commits nothing`);
  }
}

/** An earlier term (paper §5.1), a question that is none yet (thesis §9.6), a disturbance (thesis §4.2.3). */
function mustBeIgnored(before: RaftStatus, message: Message): boolean {
  if (message.term < before.term || message.type === 'requestPreVote') return true;
  return (
    message.type === 'requestVote' && !message.transfer && message.term > before.term && hearsLeader(before)
  );
}

function hearsLeader({ role, leader, timers }: RaftStatus): boolean {
  return role === 'leader' || (leader !== null && timers.electionElapsedTicks < timers.electionTimeoutTicks);
}

function checkUnchanged(before: RaftStatus, after: RaftStatus, what: string): void {
  assert(
    after.term === before.term && after.role === before.role && after.votedFor === before.votedFor,
    () => `${what} changes neither term nor role nor vote`,
  );
  assert(
    after.timers.electionElapsedTicks === before.timers.electionElapsedTicks,
    () => `${what} does not hold up an election`,
  );
  assert(
    compareLogId(after.lastLog, before.lastLog) === 0 && after.committed === before.committed,
    () => `${what} neither appends nor commits`,
  );
  for (const [node, { matched }] of before.peers) {
    assert(after.peers.get(node)?.matched === matched, () => `${what} acknowledges nothing`);
  }
}

/** A later term comes with a message; or is begun by winning a pre-vote, or because the leader asks for it. */
function checkTerm(before: RaftStatus, message: Message, after: RaftStatus): void {
  const { type, term } = message;
  if (after.term === before.term) return;
  if (type === 'timeoutNow') {
    assert(after.term === term || after.term === nextTerm(term), 'a leader asks for the next term');
  } else if (type === 'requestPreVoteResponse' && message.granted) {
    assert(before.role === 'preCandidate' && after.term === nextTerm(before.term), 'a pre-vote is won once');
  } else {
    assert(after.term === term, 'a node takes the term of a message over, no other');
  }
}

/** Only a leader of this term, or a granted vote, holds up an election (paper §5.2). */
function checkElectionTimer(before: RaftStatus, message: Message, after: RaftStatus): void {
  if (after.timers.electionElapsedTicks >= before.timers.electionElapsedTicks) return;
  // Its own campaign, or the end of its own lead.
  if (after.role === 'candidate' || before.role === 'leader') return;
  const heard =
    message.type === 'appendEntries' || message.type === 'heartbeat' || message.type === 'installSnapshot';
  assert(heard || hasVoted(before, after), () => `${message.type} does not hold up an election`);
}

function hasVoted(before: RaftStatus, after: RaftStatus): boolean {
  return after.votedFor !== null && (after.votedFor !== before.votedFor || after.term > before.term);
}

function checkGrant({ lastLog }: RaftStatus, request: RequestVote): void {
  assert(lastLog.index > 0, 'a node without a log grants no vote');
  assert(
    compareLogId(request.lastLog, lastLog) >= 0,
    'a vote goes to a log that is at least as up to date (paper §5.4.1)',
  );
}

function checkFollowing(
  before: RaftStatus,
  message: AppendEntries | Heartbeat | InstallSnapshot,
  after: RaftStatus,
): void {
  assert(after.leader === message.from, 'who speaks as a leader of this term is followed');
  assert(
    after.committed <= maxIndex(before.committed, verified(message)),
    'no commit beyond what is verified',
  );
  if (before.lastLog.term === message.term) {
    assert(after.lastLog.index >= before.lastLog.index, 'a leader takes none of its own entries back');
  }
}

/** How far the receiver may take its log for the leader's, and for committed (paper figure 2, AppendEntries 5). */
function verified(message: AppendEntries | Heartbeat | InstallSnapshot): LogIndex {
  switch (message.type) {
    case 'appendEntries': {
      const last = message.entries.at(-1) ?? message.previous;
      return minIndex(last.index, message.committed);
    }
    case 'heartbeat':
      return message.committed;
    case 'installSnapshot':
      return message.snapshot.last.index;
  }
}
