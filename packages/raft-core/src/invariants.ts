import { assert } from './assert.ts';
import { compareLogId } from './ids.ts';
import { isVoter } from './membership.ts';
import type { RaftStatus } from './status.ts';

/** What must hold of one node at any moment, between two inputs. Throws an AssertionError. */
export function checkInvariants(node: RaftStatus): void {
  checkPointers(node);
  checkRole(node);
  checkMemberships(node);
  if (node.role === 'leader') checkPeers(node);
}

function checkPointers({ compacted, applied, committed, persisted, lastLog, term }: RaftStatus): void {
  assert(compacted.index <= applied, 'compacted <= applied');
  assert(applied <= committed, 'applied <= committed');
  assert(committed <= lastLog.index, 'committed <= last');
  assert(applied <= persisted, 'applied <= persisted');
  assert(persisted <= lastLog.index, 'persisted <= last');
  assert(compareLogId(compacted, lastLog) <= 0, 'what is compacted lies before the last entry');
  assert(lastLog.term <= term, 'no entry is of a later term than the node');
}

function checkRole({ id, role, leader, votedFor, membership, committedMembership }: RaftStatus): void {
  // Also one that a change not known to be committed has removed (thesis §4.2.2).
  const voter = isVoter(membership.membership, id) || isVoter(committedMembership.membership, id);
  switch (role) {
    case 'learner':
      assert(!voter, 'a learner is no voter');
      assert(leader !== id, 'a learner does not lead');
      return;
    case 'follower':
      assert(voter, 'a follower is a voter');
      assert(leader !== id, 'a follower follows another node');
      return;
    case 'preCandidate':
      assert(leader === null, 'a pre-candidate hears no leader');
      return;
    case 'candidate':
      assert(leader === null, 'a candidate hears no leader');
      assert(votedFor === id, 'a candidate votes for itself (paper §5.2)');
      return;
    case 'leader':
      // Not necessarily a voter: a removed leader leads until its removal is committed (paper §6).
      assert(leader === id, 'a leader knows it leads');
      assert(votedFor === id, 'a leader was elected by its own vote too');
      return;
  }
}

function checkMemberships({ membership, committedMembership, committed }: RaftStatus): void {
  assert(committedMembership.logId.index <= committed, 'the committed membership is committed');
  assert(
    compareLogId(committedMembership.logId, membership.logId) <= 0,
    'the effective membership is the last',
  );
  assert(membership.membership.configs.length <= 2, 'a membership is uniform or joint');
}

function checkPeers({ peers, lastLog, membership, id }: RaftStatus): void {
  for (const [node, { matched, next }] of peers) {
    assert(matched < next, () => `what matches on node ${node} is not sent to it again`);
    assert(next <= lastLog.index + 1, () => `the next entry for node ${node} exists or comes next`);
  }
  for (const node of membership.membership.nodes.keys()) {
    assert(node === id || peers.has(node), () => `member ${node} is fed`);
  }
}

/** What must hold between a node's states before and after one input; not across a restart. */
export function checkTransition(before: RaftStatus, after: RaftStatus): void {
  assert(after.id === before.id, 'a node keeps its id');
  assert(after.term >= before.term, 'the term never falls (paper §5.1)');
  assert(after.committed >= before.committed, 'the commit index never falls');
  assert(after.applied >= before.applied, 'the applied index never falls');
  assert(after.compacted.index >= before.compacted.index, 'what is compacted does not come back');
  assert(
    compareLogId(after.committedMembership.logId, before.committedMembership.logId) >= 0,
    'a committed membership is not rolled back',
  );
  if (after.term === before.term) checkWithinTerm(before, after);
}

function checkWithinTerm(before: RaftStatus, after: RaftStatus): void {
  if (before.votedFor !== null) assert(after.votedFor === before.votedFor, 'one vote per term (paper §5.2)');
  if (before.leader !== null && after.leader !== null) {
    assert(after.leader === before.leader, 'one leader per term (paper §5.2)');
  }
  if (before.role === 'leader' && after.role === 'leader') checkLeading(before, after);
  else assert(after.role !== 'leader' || before.role === 'candidate', 'only a candidate becomes a leader');
}

function checkLeading(before: RaftStatus, after: RaftStatus): void {
  assert(after.lastLog.index >= before.lastLog.index, 'a leader only appends to its log (paper §5.3)');
  assert(after.persisted >= before.persisted, 'what a leader has on disk stays there');
  for (const [node, { matched }] of before.peers) {
    const peer = after.peers.get(node);
    if (peer !== undefined) assert(peer.matched >= matched, () => `node ${node} forgets nothing in a term`);
  }
}
