import { assert } from './assert.ts';
import { type LogIndex, nextIndex } from './ids.ts';
import type { Message } from './message.ts';
import type { Ready } from './ready.ts';
import type { RaftStatus } from './status.ts';

/**
 * What must hold of a Ready that a node in `status` hands out (its status just behind `ready()`). Throws an
 * AssertionError.
 */
export function checkReady(status: RaftStatus, ready: Ready): void {
  checkWrite(status, ready);
  checkCommitted(status, ready);
  for (const message of ready.early) {
    assert(promisesNothing(message), () => `${message.type} waits for the disk (thesis §3.8)`);
    checkEnvelope(status, message);
  }
  for (const message of ready.messages) {
    checkEnvelope(status, message);
    checkPromise(status, message);
  }
}

function checkWrite(status: RaftStatus, { entries, snapshot, hardState, mustSync }: Ready): void {
  assert(mustSync || (entries.length === 0 && snapshot === null), 'entries and snapshots are synced');
  if (hardState !== null) {
    const { term, votedFor, committed } = hardState;
    assert(term === status.term && votedFor === status.votedFor, 'the present term and vote are written');
    assert(committed === status.committed, 'the present commit index is written');
  }
  let previous = entries[0] === undefined ? status.lastLog.index : entries[0].index - 1;
  for (const { index, term } of entries) {
    assert(index === previous + 1, 'entries are written without a gap');
    assert(term <= status.term, 'no entry is of a later term than the node');
    previous = index;
  }
  assert(previous === status.lastLog.index, 'all of the log is written');
  if (snapshot !== null) assert(snapshot.last.index <= status.applied, 'a snapshot counts as applied');
}

/** Each entry is applied once, in order, and is on disk by then. */
function checkCommitted({ applied, committed }: RaftStatus, ready: Ready): void {
  let next: LogIndex = nextIndex(applied);
  for (const { index } of ready.committed) {
    assert(index === next, 'committed entries follow what is applied');
    next = nextIndex(index);
  }
  assert(next <= committed + 1, 'only what is committed is applied');
}

/** Whether a crash right after sending it breaks no promise. */
function promisesNothing(message: Message): boolean {
  switch (message.type) {
    case 'appendEntries':
    case 'heartbeat':
    case 'installSnapshot':
    case 'timeoutNow':
    case 'readIndexRequest':
    case 'readIndexResponse':
      return true;
    case 'requestPreVote':
    case 'requestPreVoteResponse':
    case 'requestVote':
    case 'requestVoteResponse':
    case 'appendEntriesResponse':
    case 'heartbeatResponse':
      return false;
  }
}

function checkEnvelope({ id, term }: RaftStatus, message: Message): void {
  assert(message.from === id && message.to !== id, 'a node speaks for itself, to others');
  // A pre-vote, asked for or granted, names a term that has not begun.
  if (message.type === 'requestPreVote' || message.type === 'requestPreVoteResponse') return;
  assert(message.term <= term, 'no message is of a later term than the node');
}

/** What is said in the present term is true once the write is done; what was said in an earlier one was, then. */
function checkPromise({ id, term, votedFor, lastLog }: RaftStatus, message: Message): void {
  if (message.term !== term) return;
  switch (message.type) {
    case 'requestVote':
      assert(votedFor === id, 'a candidate has voted for itself');
      return;
    case 'requestVoteResponse':
      assert(!message.granted || votedFor === message.to, 'a granted vote is on disk');
      return;
    case 'appendEntriesResponse':
      if (message.result.type !== 'accepted') return;
      assert(message.result.matched <= lastLog.index, 'what is acknowledged is on disk');
      return;
    default:
      return;
  }
}
