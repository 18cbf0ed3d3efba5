import { describe, expect, test } from 'vitest';
import { logIndex, nodeId, term } from '../src/ids.ts';
import { checkInvariants, checkTransition } from '../src/invariants.ts';
import type { PeerStatus, RaftStatus, Timers } from '../src/status.ts';
import { membershipOf } from './cluster.ts';
import { bytes, logIdAt, Solo } from './solo.ts';

/* That the checks can fail: each is shown one state that only it refuses. */

const follower = new Solo({ terms: [2, 2], term: 3, committed: 2 }).status;
const leading = new Solo({ terms: [2, 2], term: 3 });
leading.leadAndCommit();
const leader = leading.status;
leading.act((raft) => raft.propose(bytes('x')));
leading.run();
const withOneMore = leading.status;
const peer = { matched: logIndex(4), next: logIndex(5), state: 'replicate', recentlyActive: true } as const;
const timers = (change: Partial<Timers>): Timers => ({ ...leader.timers, ...change });
const stored = (at: number, index: number, ...voters: number[]) => ({
  logId: logIdAt(at, index),
  membership: membershipOf(voters.map(nodeId)),
});
/** Peers 2 and 3 as they were, but for this. */
const peers = (change: Partial<PeerStatus>) =>
  new Map(
    [...leader.peers].map(([node, known]) => [node, node === leader.id ? known : { ...known, ...change }]),
  );

describe('one state', () => {
  test('a sound state passes', () => {
    for (const status of [follower, leader, withOneMore]) checkInvariants(status);
  });

  test.each<[string, RaftStatus]>([
    ['compacted <= applied', { ...follower, compacted: logIdAt(2, 2) }],
    ['applied <= committed', { ...follower, applied: logIndex(3) }],
    ['committed <= last', { ...follower, committed: logIndex(4) }],
    ['applied <= persisted', { ...follower, persisted: logIndex(0) }],
    ['persisted <= last', { ...follower, persisted: logIndex(9) }],
    ['no entry is of a later term', { ...follower, term: term(1) }],
    ['a learner is no voter', { ...follower, role: 'learner' }],
    ['a follower is a voter', { ...follower, id: nodeId(9) }],
    ['a follower follows another node', { ...follower, leader: follower.id }],
    ['a pre-candidate is a voter', { ...follower, id: nodeId(9), role: 'preCandidate' }],
    ['a pre-candidate hears no leader', { ...follower, role: 'preCandidate', leader: nodeId(2) }],
    ['a candidate is a voter', { ...follower, id: nodeId(9), role: 'candidate' }],
    ['a candidate votes for itself', { ...follower, role: 'candidate', votedFor: nodeId(2) }],
    ['a leader knows it leads', { ...leader, leader: nodeId(2) }],
    ['elected by its own vote', { ...leader, votedFor: nodeId(2) }],
    ['begins its term with an entry', { ...leader, firstIndex: null }],
    ['begins its term with an entry', { ...leader, firstIndex: logIndex(9) }],
    ['ends with an entry of its own', { ...leader, term: term(5) }],
    ['the effective membership is in the log', { ...follower, membership: stored(3, 9, 1, 2, 3) }],
    ['the committed membership is committed', { ...follower, committedMembership: stored(2, 3, 1) }],
    ['that is committed is the committed one', { ...follower, membership: stored(2, 2, 1, 2, 3) }],
    ['a config has voters', { ...follower, membership: stored(2, 3) }],
    ['names each voter once', { ...follower, membership: stored(2, 3, 1, 2, 2) }],
    [
      'voter 2 has a record',
      {
        ...follower,
        membership: {
          logId: logIdAt(2, 3),
          membership: { configs: [[1, 2].map(nodeId)], nodes: new Map([[nodeId(1), { addr: 'a:1' }]]) },
        },
      },
    ],
    ['is not sent to it again', { ...leader, peers: peers({ ...peer, next: logIndex(4) }) }],
    ['exists or comes next', { ...leader, peers: peers({ ...peer, next: logIndex(9) }) }],
    ['member 2 is fed', { ...leader, peers: new Map() }],
    ['what its own disk holds', { ...leader, persisted: logIndex(3), applied: logIndex(3) }],
    ['hands over to another node', { ...leader, transferTo: leader.id }],
    ['looks for its quorum in time', { ...leader, timers: timers({ quorumCheckElapsedTicks: 10 }) }],
    ['a transfer ends in time', { ...leader, timers: timers({ transferElapsedTicks: 10 }) }],
    ['only a leader feeds', { ...follower, peers: leader.peers }],
    ['or hands over', { ...follower, transferTo: nodeId(2) }],
  ])('%s', (message, broken) => {
    expect(() => checkInvariants(broken)).toThrow(message);
  });
});

describe('two states', () => {
  test('standing still is sound, and so is one more entry, and its commit', () => {
    for (const status of [follower, leader]) checkTransition(status, status);
    checkTransition(leader, withOneMore);
    leading.accept(2, 5);
    checkTransition(withOneMore, leading.status);
  });

  test.each<[string, RaftStatus, Partial<RaftStatus>]>([
    ['a node keeps its id', follower, { id: nodeId(9) }],
    ['the term never falls', follower, { term: term(2) }],
    ['the commit index never falls', follower, { committed: logIndex(1) }],
    ['the applied index never falls', follower, { applied: logIndex(0) }],
    [
      'what is compacted does not come back',
      { ...follower, compacted: logIdAt(1, 1) },
      { compacted: logIdAt(0, 0) },
    ],
    ['is not rolled back', follower, { committedMembership: stored(0, 0, 1) }],
    ['a term begins without a leader', leader, { term: term(5) }],
    ['one vote per term', leader, { votedFor: null, role: 'follower' }],
    ['one leader per term', leader, { leader: nodeId(2), role: 'follower' }],
    ['only a candidate becomes a leader', follower, { role: 'leader', leader: follower.id }],
    ['a term begins once', leader, { firstIndex: logIndex(2) }],
    ['a leader only appends to its log', leader, { lastLog: logIdAt(3, 3) }],
    ['what a leader has on disk stays there', leader, { persisted: logIndex(3) }],
    ['forgets nothing in a term', leader, { peers: peers({ matched: logIndex(1) }) }],
    ['on the disks of a quorum', leader, { committed: logIndex(5) }],
    [
      'only what is of its own term',
      { ...leader, committed: logIndex(2) },
      { committed: logIndex(3), peers: peers({ matched: logIndex(4) }) },
    ],
    [
      'one change of the membership at a time',
      { ...leader, membership: stored(4, 5, 1, 2, 3) },
      { membership: stored(4, 6, 1, 2) },
    ],
    [
      'no change before the first commit of the term',
      { ...leader, committed: logIndex(3) },
      { committed: logIndex(3), membership: stored(4, 5, 1, 2) },
    ],
    [
      'goes on only if a quorum has answered',
      { ...leader, timers: timers({ quorumCheckElapsedTicks: 9 }), peers: peers({ recentlyActive: false }) },
      { timers: timers({ quorumCheckElapsedTicks: 0 }) },
    ],
    ['steps down when no quorum answers', leader, { role: 'follower', leader: null }],
  ])('%s', (message, before, change) => {
    expect(() => checkTransition(before, { ...before, ...change })).toThrow(message);
  });
});
