import { assert } from './assert.ts';
import { compareLogId, type NodeId } from './ids.ts';
import type { StoredMembership } from './log-reader.ts';
import { isVotingDisk, type Membership } from './membership.ts';
import type { RaftStatus } from './status.ts';

/*
 * What figure 3 of the paper says, as far as one node can see it, and what this implementation promises besides.
 * Written from the outside, over the status alone: none of the code that it checks is used to check it.
 */

/** What must hold of one node at any moment, between two inputs. Throws an AssertionError. */
export function checkInvariants(node: RaftStatus): void {
  checkPointers(node);
  checkMemberships(node);
  checkRole(node);
  if (node.role === 'leader') checkLeader(node);
  else checkOthers(node);
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

function checkMemberships({ membership, committedMembership, committed, lastLog }: RaftStatus): void {
  assert(compareLogId(membership.logId, lastLog) <= 0, 'the effective membership is in the log');
  assert(committedMembership.logId.index <= committed, 'the committed membership is committed');
  assert(
    compareLogId(committedMembership.logId, membership.logId) <= 0,
    'the effective membership is the last',
  );
  assert(
    membership.logId.index > committed || membership.logId.index === committedMembership.logId.index,
    'a membership in effect that is committed is the committed one',
  );
  checkMembership(membership.membership);
}

function checkMembership({ configs, nodes }: Membership): void {
  assert(configs.length <= 2, 'a membership is uniform or joint');
  for (const config of configs) {
    assert(config.length > 0, 'a config has voters');
    assert(new Set(config).size === config.length, 'a config names each voter once');
    for (const node of config) assert(nodes.has(node), () => `voter ${node} has a record`);
  }
}

function checkRole(node: RaftStatus): void {
  const { id, role, leader, votedFor, membership, committedMembership } = node;
  // Also one that a change not known to be committed has removed (thesis §4.2.2).
  const voter = votes(node, membership) || votes(node, committedMembership);
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
      assert(voter, 'a pre-candidate is a voter');
      assert(leader === null, 'a pre-candidate hears no leader');
      return;
    case 'candidate':
      assert(voter, 'a candidate is a voter');
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

function checkLeader({ id, term, lastLog, firstIndex, persisted, peers, ...rest }: RaftStatus): void {
  assert(
    firstIndex !== null && firstIndex <= lastLog.index,
    'a leader begins its term with an entry (paper §8)',
  );
  assert(lastLog.term === term && lastLog.leader === id, 'the log of a leader ends with an entry of its own');
  for (const [node, { matched, next }] of peers) {
    assert(matched < next, () => `what matches on node ${node} is not sent to it again`);
    assert(next <= lastLog.index + 1, () => `the next entry for node ${node} exists or comes next`);
  }
  for (const node of rest.membership.membership.nodes.keys()) {
    assert(node === id || peers.has(node), () => `member ${node} is fed`);
  }
  assert((peers.get(id)?.matched ?? persisted) === persisted, 'a leader matches what its own disk holds');
  assert(rest.transferTo !== id, 'a leader hands over to another node');
  const { electionTimeoutTicks, quorumCheckElapsedTicks, transferElapsedTicks } = rest.timers;
  assert(
    quorumCheckElapsedTicks < electionTimeoutTicks,
    'a leader looks for its quorum in time (thesis §6.2)',
  );
  assert(transferElapsedTicks < electionTimeoutTicks, 'a transfer ends in time (thesis §3.10)');
}

function checkOthers({ peers, transferTo, firstIndex }: RaftStatus): void {
  assert(
    peers.size === 0 && transferTo === null && firstIndex === null,
    'only a leader feeds, or hands over',
  );
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
  else assert(after.role !== 'leader', 'a term begins without a leader (paper §5.2)');
}

function checkWithinTerm(before: RaftStatus, after: RaftStatus): void {
  if (before.votedFor !== null) assert(after.votedFor === before.votedFor, 'one vote per term (paper §5.2)');
  if (before.leader !== null && after.leader !== null) {
    assert(after.leader === before.leader, 'one leader per term (paper §5.2)');
  }
  if (after.role === 'leader') {
    if (before.role === 'leader') checkLeading(before, after);
    else assert(before.role === 'candidate', 'only a candidate becomes a leader');
  } else if (before.role === 'leader') {
    checkSteppingDown(before, after);
  }
}

function checkLeading(before: RaftStatus, after: RaftStatus): void {
  assert(after.firstIndex === before.firstIndex, 'a term begins once');
  assert(after.lastLog.index >= before.lastLog.index, 'a leader only appends to its log (paper §5.3)');
  assert(after.persisted >= before.persisted, 'what a leader has on disk stays there');
  for (const [node, { matched }] of before.peers) {
    const peer = after.peers.get(node);
    if (peer !== undefined) assert(peer.matched >= matched, () => `node ${node} forgets nothing in a term`);
  }
  if (after.committed > before.committed) checkCommit(before, after);
  if (after.membership.logId.index > before.membership.logId.index) checkChange(before, after);
  checkQuorumCheck(before, after);
}

/** The voters that decide are those in effect before: what a commit brings about comes after it. */
function checkCommit({ membership }: RaftStatus, { committed, firstIndex, peers }: RaftStatus): void {
  assert(
    firstIndex !== null && committed >= firstIndex,
    'a leader commits by counting only what is of its own term (paper §5.4.2)',
  );
  const has = (node: NodeId) => (peers.get(node)?.matched ?? 0) >= committed;
  assert(isQuorum(membership.membership, has), 'what is committed is on the disks of a quorum (paper §5.3)');
}

/** At most one membership in the log of a leader is not committed (thesis §4.1). */
function checkChange(before: RaftStatus, { committed, firstIndex }: RaftStatus): void {
  assert(before.membership.logId.index <= committed, 'one change of the membership at a time (thesis §4.1)');
  assert(
    firstIndex !== null && committed >= firstIndex,
    'no change before the first commit of the term (the flaw found in 2015)',
  );
}

function checkQuorumCheck(before: RaftStatus, after: RaftStatus): void {
  if (after.timers.quorumCheckElapsedTicks >= before.timers.quorumCheckElapsedTicks) return;
  assert(hasQuorum(before), 'a leader goes on only if a quorum has answered it (thesis §6.2)');
}

/** A later term apart: there it knows that it leads no more. */
function checkSteppingDown(before: RaftStatus, after: RaftStatus): void {
  const { committedMembership } = after;
  const removed = !votes(after, committedMembership);
  assert(
    removed || !hasQuorum(before),
    'a leader steps down when no quorum answers, or its removal is committed (paper §6)',
  );
}

function votes({ id, instance }: RaftStatus, { membership }: StoredMembership): boolean {
  return isVotingDisk(membership, { node: id, instance });
}

function hasQuorum({ id, membership, peers }: RaftStatus): boolean {
  return isQuorum(membership.membership, (node) => node === id || peers.get(node)?.recentlyActive === true);
}

/** A majority of every config: counted here once more, so that `quorum.ts` is not checked by itself. */
function isQuorum({ configs }: Membership, has: (node: NodeId) => boolean): boolean {
  return configs.every((config) => 2 * config.filter(has).length > config.length);
}
