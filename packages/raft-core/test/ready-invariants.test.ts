import { describe, expect, test } from 'vitest';
import { logIndex, nodeId, term } from '../src/ids.ts';
import type { Message } from '../src/message.ts';
import type { Ready } from '../src/ready.ts';
import { checkReady } from '../src/ready-invariants.ts';
import { append, commandAt, logIdAt, Solo } from './solo.ts';

/* That the checks of a Ready can fail; that the core's pass them is seen wherever a Solo or a Cluster runs. */

const solo = new Solo({ terms: [2, 2], term: 3, committed: 3 });
solo.act((raft) =>
  raft.step(append(solo, { from: 2, term: 3, previous: [2, 3], terms: [3, 3], committed: 4 })),
);
const ready = solo.act((raft) => raft.ready());
const { status } = solo;
const to = (node: number, at = 3) => ({ from: nodeId(1), to: nodeId(node), term: term(at) });
const granted: Message = { type: 'requestVoteResponse', ...to(2), granted: true };
const accepted = (matched: number): Message => ({
  type: 'appendEntriesResponse',
  ...to(2),
  result: { type: 'accepted', matched: logIndex(matched) },
  round: 0,
});

test('a Ready of the core is sound', () => {
  expect(ready.entries).toHaveLength(2);
  expect(ready.committed.map((entry) => entry.index)).toEqual([2, 3]);
  checkReady(status, ready);
});

test('what was true of an earlier term may still be said', () => {
  const late: Message = { ...to(3, 2), type: 'requestVoteResponse', granted: true };
  checkReady(status, { ...ready, messages: [late] });
});

describe('refused', () => {
  test.each<[string, Partial<Ready>]>([
    ['entries and snapshots are synced', { mustSync: false }],
    ['the present term and vote', { hardState: { term: term(2), votedFor: null, committed: logIndex(4) } }],
    ['the present commit index', { hardState: { term: term(3), votedFor: null, committed: logIndex(3) } }],
    ['written without a gap', { entries: [commandAt(3, 4), commandAt(3, 6)] }],
    ['of a later term', { entries: [commandAt(3, 4), commandAt(9, 5)] }],
    ['all of the log is written', { entries: [commandAt(3, 4)] }],
    [
      'a snapshot counts as applied',
      {
        snapshot: {
          last: logIdAt(3, 9),
          membership: status.membership.membership,
          membershipLogId: status.membership.logId,
        },
      },
    ],
    ['follow what is applied', { committed: [commandAt(2, 3)] }],
    ['follow what is applied', { committed: [commandAt(2, 2), commandAt(3, 4)] }],
    [
      'only what is committed is applied',
      { committed: [commandAt(2, 2), commandAt(2, 3), commandAt(3, 4), commandAt(3, 5)] },
    ],
    ['requestVoteResponse waits for the disk', { early: [granted] }],
    ['appendEntriesResponse waits for the disk', { early: [accepted(4)] }],
    ['speaks for itself, to others', { messages: [{ ...granted, from: nodeId(2), to: nodeId(3) }] }],
    ['of a later term than the node', { messages: [{ ...granted, term: term(4) }] }],
    ['a granted vote is on disk', { messages: [granted] }],
    [
      'has voted for itself',
      { messages: [{ type: 'requestVote', ...to(2), lastLog: logIdAt(3, 5), transfer: false }] },
    ],
    ['what is acknowledged is on disk', { messages: [accepted(6)] }],
  ])('%s', (message, change) => {
    expect(() => checkReady(status, { ...ready, ...change })).toThrow(message);
  });
});
