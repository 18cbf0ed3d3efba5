import { describe, expect, test } from 'vitest';
import { logIndex, nodeId, term } from '../src/ids.ts';
import { checkInvariants, checkTransition } from '../src/invariants.ts';
import type { RaftStatus } from '../src/status.ts';
import { membershipOf } from './cluster.ts';
import { logIdAt, Solo } from './solo.ts';

const follower = new Solo({ terms: [2, 2], term: 3, committed: 2 }).status;
const leading = new Solo({ terms: [2, 2], term: 3 });
leading.leadAndCommit();
const leader = leading.status;
const peer = { matched: logIndex(4), next: logIndex(5), state: 'replicate', recentlyActive: true } as const;

describe('one state', () => {
  test('a sound state passes', () => {
    checkInvariants(follower);
    checkInvariants(leader);
  });

  test.each<[string, RaftStatus]>([
    ['compacted <= applied', { ...follower, compacted: logIdAt(2, 2) }],
    ['applied <= committed', { ...follower, applied: logIndex(3) }],
    ['committed <= last', { ...follower, committed: logIndex(4) }],
    ['applied <= persisted', { ...follower, persisted: logIndex(0) }],
    ['persisted <= last', { ...follower, persisted: logIndex(9) }],
    ['no entry is of a later term', { ...follower, term: term(1) }],
    ['a learner is no voter', { ...follower, role: 'learner' }],
    ['a follower follows another node', { ...follower, leader: follower.id }],
    ['a pre-candidate hears no leader', { ...follower, role: 'preCandidate', leader: nodeId(2) }],
    ['a candidate votes for itself', { ...follower, role: 'candidate', votedFor: nodeId(2) }],
    ['a leader knows it leads', { ...leader, leader: nodeId(2) }],
    ['elected by its own vote', { ...leader, votedFor: nodeId(2) }],
    [
      'the committed membership is committed',
      { ...follower, committedMembership: { logId: logIdAt(2, 3), membership: membershipOf([nodeId(1)]) } },
    ],
    ['is not sent to it again', { ...leader, peers: new Map([[nodeId(2), { ...peer, next: logIndex(4) }]]) }],
    ['exists or comes next', { ...leader, peers: new Map([[nodeId(2), { ...peer, next: logIndex(9) }]]) }],
    ['member 2 is fed', { ...leader, peers: new Map() }],
  ])('%s', (message, broken) => {
    expect(() => checkInvariants(broken)).toThrow(message);
  });
});

describe('two states', () => {
  test('standing still is sound', () => {
    checkTransition(follower, follower);
    checkTransition(leader, leader);
  });

  test.each<[string, RaftStatus, Partial<RaftStatus>]>([
    ['a node keeps its id', follower, { id: nodeId(9) }],
    ['the term never falls', follower, { term: term(2) }],
    ['the commit index never falls', follower, { committed: logIndex(1) }],
    ['the applied index never falls', follower, { applied: logIndex(0) }],
    ['one vote per term', leader, { votedFor: null, role: 'follower' }],
    ['one leader per term', leader, { leader: nodeId(2), role: 'follower' }],
    ['only a candidate becomes a leader', follower, { role: 'leader', leader: follower.id }],
    ['a leader only appends to its log', leader, { lastLog: logIdAt(3, 3) }],
    [
      'forgets nothing in a term',
      leader,
      { peers: new Map([[nodeId(2), { ...peer, matched: logIndex(1) }]]) },
    ],
  ])('%s', (message, before, change) => {
    expect(() => checkTransition(before, { ...before, ...change })).toThrow(message);
  });
});
