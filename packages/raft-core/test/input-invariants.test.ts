import { describe, expect, test } from 'vitest';
import { logIndex, nodeId, term } from '../src/ids.ts';
import { checkStep, checkTick } from '../src/input-invariants.ts';
import type { Message } from '../src/message.ts';
import type { RaftStatus, Timers } from '../src/status.ts';
import { append, logIdAt, Solo } from './solo.ts';

/* That the checks of single inputs can fail; that the code passes them is seen wherever a Solo or a Cluster runs. */

const solo = new Solo({ terms: [2, 2], term: 3 });
const follower: RaftStatus = { ...solo.status, timers: { ...solo.status.timers, electionElapsedTicks: 5 } };
const following: RaftStatus = { ...follower, leader: nodeId(2) };
const leading = new Solo({ terms: [2, 2], term: 3 });
leading.leadAndCommit();
const leader = leading.status;
const from = (node: number, at: number) => ({ from: nodeId(node), to: nodeId(1), term: term(at) });
const elapsed = (electionElapsedTicks: number): { timers: Timers } => ({
  timers: { ...follower.timers, electionElapsedTicks },
});
const vote = (at: number, last = logIdAt(2, 3), transfer = false): Message => ({
  type: 'requestVote',
  ...from(2, at),
  lastLog: last,
  transfer,
});
const preVote: Message = { type: 'requestPreVote', ...from(2, 4), lastLog: logIdAt(2, 3) };
const ack = (at: number): Message => ({
  type: 'appendEntriesResponse',
  ...from(2, at),
  result: { type: 'accepted', matched: logIndex(4) },
  round: 0,
});
const heartbeat = (at: number, committed: number): Message => ({
  type: 'heartbeat',
  ...from(2, at),
  committed: logIndex(committed),
  round: 0,
});

describe('a tick', () => {
  test('that only counts is sound', () => {
    checkTick(follower, { ...follower, ...elapsed(6) });
  });

  test.each<[string, Partial<RaftStatus>]>([
    ['time alone raises no term', { term: term(4) }],
    ['time alone appends nothing', { lastLog: logIdAt(2, 4) }],
    ['time alone commits nothing', { committed: logIndex(2) }],
  ])('%s', (message, change) => {
    expect(() => checkTick(follower, { ...follower, ...change })).toThrow(message);
  });
});

describe('a message', () => {
  test('that grants a vote, raises a term or commits what it verifies is sound', () => {
    checkStep(follower, vote(4), { ...follower, ...elapsed(0), term: term(4), votedFor: nodeId(2) });
    checkStep(follower, heartbeat(3, 3), { ...following, ...elapsed(0), committed: logIndex(3) });
  });

  test.each<[string, RaftStatus, Message, Partial<RaftStatus>]>([
    ['requestVote of term 2 changes neither term', follower, vote(2), { votedFor: nodeId(2) }],
    ['requestPreVote of term 4 changes neither term', follower, preVote, { term: term(4) }],
    ['requestPreVote of term 4 does not hold up', follower, preVote, elapsed(0)],
    ['heartbeat of term 2 does not hold up', follower, heartbeat(2, 1), elapsed(0)],
    [
      'heartbeat of term 2 neither appends nor commits',
      follower,
      heartbeat(2, 2),
      { committed: logIndex(2) },
    ],
    [
      'appendEntriesResponse of term 2 acknowledges nothing',
      leader,
      ack(2),
      {
        peers: new Map(
          [...leader.peers].map(([node, known]) => [
            node,
            { ...known, matched: logIndex(known.matched + 1) },
          ]),
        ),
      },
    ],
    ['requestVote of term 9 changes neither term', leader, vote(9), { term: term(9), role: 'follower' }],
    ['requestVote of term 9 changes neither term', following, vote(9), { term: term(9) }],
    ['takes the term of a message over', follower, heartbeat(4, 1), { term: term(5) }],
    [
      'a pre-vote is won once',
      follower,
      { type: 'requestPreVoteResponse', ...from(2, 4), granted: true },
      { term: term(4) },
    ],
    ['asks for the next term', follower, { type: 'timeoutNow', ...from(2, 3) }, { term: term(5) }],
    ['requestVote does not hold up', follower, vote(4), { term: term(4), ...elapsed(0) }],
    ['at least as up to date', follower, vote(4, logIdAt(1, 9)), { term: term(4), votedFor: nodeId(2) }],
    [
      'at least as up to date',
      follower,
      vote(4, logIdAt(2, 2), true),
      { term: term(4), votedFor: nodeId(2) },
    ],
    [
      'a node without a log grants no vote',
      { ...follower, lastLog: logIdAt(0, 0) },
      vote(4),
      { term: term(4), votedFor: nodeId(2) },
    ],
    ['is followed', follower, heartbeat(3, 1), {}],
    ['no commit beyond what is verified', following, heartbeat(3, 2), { committed: logIndex(3) }],
    [
      'no commit beyond what is verified',
      following,
      append(solo, { from: 2, term: 3, previous: [1, 1], committed: 9 }),
      { committed: logIndex(3) },
    ],
    [
      'none of its own entries back',
      { ...following, term: term(2) },
      append(solo, { from: 2, term: 2, previous: [1, 1], terms: [2] }),
      { lastLog: logIdAt(2, 2) },
    ],
    [
      'readIndexResponse commits nothing',
      following,
      { type: 'readIndexResponse', ...from(2, 3), reads: [1], index: logIndex(3) },
      { committed: logIndex(3) },
    ],
  ])('%s', (refusal, before, message, change) => {
    expect(() => checkStep(before, message, { ...before, ...change })).toThrow(refusal);
  });
});
