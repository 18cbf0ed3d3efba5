import { describe, expect, test } from 'vitest';
import { bootstrapLog } from '../src/bootstrap.ts';
import { logIndex, type NodeId, nodeId } from '../src/ids.ts';
import { EMPTY_MEMBERSHIP, isSoleVoter, members, voters } from '../src/membership.ts';
import { changeMembership, leaveJoint } from '../src/membership-change.ts';
import { Cluster, membershipOf } from './cluster.ts';
import { append, bytes, commandAt, logIdAt, only, Solo } from './solo.ts';

const ids = (...list: number[]): NodeId[] => list.map(nodeId);
const learner = (node: number, addr = `10.0.0.${node}:21001`) => ({
  type: 'addLearner' as const,
  node: nodeId(node),
  record: { addr },
});
const setVoters = (...list: number[]) => ({ type: 'setVoters' as const, voters: ids(...list) });

describe('changes of a membership', () => {
  const present = membershipOf(ids(1, 2, 3), ids(4));

  test('a learner is added beside the others, in order of id', () => {
    const changed = changeMembership(membershipOf(ids(1, 5)), learner(3));
    if (changed.type !== 'changed') throw new Error(changed.type);
    expect(changed.membership.configs).toEqual([[1, 5]]);
    expect([...changed.membership.nodes.keys()]).toEqual([1, 3, 5]);
  });

  test('adding a member that is there changes nothing, voter or learner', () => {
    for (const node of [2, 4]) {
      expect(changeMembership(present, learner(node))).toEqual({ type: 'changed', membership: present });
    }
  });

  test('another address or data directory for a member is a conflict', () => {
    expect(changeMembership(present, learner(4, 'elsewhere:1')).type).toBe('conflict');
    const named = { addr: '10.0.0.4:21001', instance: 'a' };
    const first = changeMembership(present, { type: 'addLearner', node: nodeId(4), record: named });
    if (first.type !== 'changed') throw new Error(first.type);
    expect(first.membership.nodes.get(nodeId(4))).toEqual(named);
    const other = { ...named, instance: 'b' };
    expect(
      changeMembership(first.membership, { type: 'addLearner', node: nodeId(4), record: other }).type,
    ).toBe('conflict');
    expect(changeMembership(first.membership, learner(4))).toEqual(first);
  });

  test('a member that is known by its data directory may move', () => {
    const record = { addr: '10.0.0.2:21001', instance: 'a' };
    const named = changeMembership(present, { type: 'addLearner', node: nodeId(2), record });
    if (named.type !== 'changed') throw new Error(named.type);
    const moved = { ...record, addr: '10.9.9.9:21001' };
    const after = changeMembership(named.membership, { type: 'addLearner', node: nodeId(2), record: moved });
    if (after.type !== 'changed') throw new Error(after.type);
    expect(after.membership.nodes.get(nodeId(2))).toEqual(moved);
    expect(after.membership.configs).toEqual(present.configs);
  });

  test('no two members at one address', () => {
    expect(changeMembership(present, learner(9, '10.0.0.2:21001'))).toEqual({
      type: 'conflict',
      message: '10.0.0.2:21001 is already the address of node 2',
    });
  });

  test('only learners are removed', () => {
    const removed = changeMembership(present, { type: 'removeLearner', node: nodeId(4) });
    expect(removed).toEqual({ type: 'changed', membership: membershipOf(ids(1, 2, 3)) });
    expect(changeMembership(present, { type: 'removeLearner', node: nodeId(2) }).type).toBe('conflict');
    expect(changeMembership(present, { type: 'removeLearner', node: nodeId(8) })).toEqual({
      type: 'learnerNotFound',
      node: 8,
    });
  });

  test('voters are members already, and not none', () => {
    expect(changeMembership(present, setVoters())).toEqual({ type: 'emptyMembership' });
    expect(changeMembership(present, setVoters(1, 7))).toEqual({ type: 'learnerNotFound', node: 7 });
  });

  test('other voters need a joint membership; demoted ones leave with it, learners stay', () => {
    const joint = changeMembership(present, setVoters(2, 1));
    if (joint.type !== 'changed') throw new Error(joint.type);
    expect(joint.membership).toEqual({ configs: [ids(1, 2, 3), ids(1, 2)], nodes: present.nodes });
    expect(leaveJoint(joint.membership)).toEqual(membershipOf(ids(1, 2), ids(4)));
  });

  test('the same voters in any order need no joint membership', () => {
    expect(changeMembership(present, setVoters(3, 1, 2, 1))).toEqual({
      type: 'changed',
      membership: present,
    });
  });

  test('who is what', () => {
    const joint = { configs: [ids(1, 2), ids(2, 3)], nodes: membershipOf(ids(1, 2, 3), ids(4)).nodes };
    expect([...voters(joint)]).toEqual([1, 2, 3]);
    expect([...members(joint)]).toEqual([1, 2, 3, 4]);
    expect(isSoleVoter(membershipOf(ids(1), ids(2)), nodeId(1))).toBe(true);
    expect(isSoleVoter(joint, nodeId(2))).toBe(false);
    expect(isSoleVoter(EMPTY_MEMBERSHIP, nodeId(2))).toBe(false);
  });
});

describe('a leader changes the membership', () => {
  test('none before it has committed an entry of its own term', () => {
    const solo = new Solo();
    solo.lead();
    const refused = solo.act((raft) => raft.proposeMembership(learner(4)));
    expect(refused).toEqual({ type: 'inProgress', change: { term: 2, leader: 1, index: 2 } });
    solo.accept(2, 2);
    expect(solo.act((raft) => raft.proposeMembership(learner(4))).type).toBe('appended');
  });

  test('one at a time, until the joint membership is left', () => {
    const solo = new Solo({ voters: [1, 2], learners: [3] });
    solo.leadAndCommit();
    solo.accept(3, 2);
    expect(solo.act((raft) => raft.proposeMembership(setVoters(1, 2, 3)))).toMatchObject({
      logId: { index: 3 },
    });
    const next = () => solo.act((raft) => raft.proposeMembership(learner(4)));
    expect(next()).toMatchObject({ type: 'inProgress', change: { index: 3 } });
    solo.run();
    for (const peer of [2, 3]) solo.accept(peer, 3);
    expect(next()).toMatchObject({ type: 'inProgress', change: { index: 4 } });
    for (const peer of [2, 3]) solo.accept(peer, 4);
    expect(next()).toMatchObject({ type: 'appended' });
  });

  test('a learner is fed and counts for nothing', () => {
    const solo = new Solo({ voters: [1, 2, 3], learners: [4, 5] });
    solo.leadAndCommit();
    solo.act((raft) => raft.propose(bytes('x')));
    solo.run();
    for (const node of [4, 5]) solo.accept(node, 3);
    expect(solo.status.committed).toBe(2);
    solo.tick(20);
    expect(solo.status.role, 'learners do not keep a leader in office').toBe('follower');
  });

  test('a voter to be that has no log yet is refused: it could not vote', () => {
    const solo = new Solo({ voters: [1], learners: [2] });
    solo.tick(1);
    solo.run();
    expect(solo.act((raft) => raft.proposeMembership(setVoters(1, 2)))).toEqual({
      type: 'learnerBehind',
      node: 2,
    });
    solo.accept(2, 2);
    expect(solo.act((raft) => raft.proposeMembership(setVoters(1, 2))).type).toBe('appended');
  });

  test('a removed peer is fed until its removal is committed, and told of that', () => {
    const solo = new Solo({ voters: [1, 2, 3] });
    solo.leadAndCommit();
    solo.act((raft) => raft.proposeMembership(setVoters(1, 2)));
    solo.run();
    for (const peer of [2, 3]) solo.accept(peer, 3);
    expect([...solo.status.peers.keys()]).toEqual([1, 2, 3]);
    const last = only(solo.accept(2, 4), 'appendEntries').find((message) => message.to === 3);
    expect(last?.committed).toBe(4);
    expect([...solo.status.peers.keys()]).toEqual([1, 2]);
    solo.receive({ type: 'heartbeatResponse', ...solo.envelope(3, 99), round: 0 });
    expect(solo.status, 'what it says does not count any more').toMatchObject({ role: 'leader', term: 2 });
  });

  test('a new leader leaves the joint membership that an earlier one has left behind', () => {
    const solo = new Solo({ voters: [1, 2, 3], learners: [4] });
    const joint = { configs: [ids(1, 2, 3), ids(1, 2, 4)], nodes: membershipOf(ids(1, 2, 3, 4)).nodes };
    const entry = { ...logIdAt(2, 2), payload: { type: 'membership' as const, membership: joint } };
    solo.receive({ ...append(solo, { from: 2, term: 2, previous: [1, 1], committed: 2 }), entries: [entry] });
    solo.tick(20);
    solo.lead();
    for (const peer of [2, 4]) solo.accept(peer, 3);
    expect(solo.status.membership.membership).toEqual(membershipOf(ids(1, 2, 4)));
    expect(solo.status.membership.logId.index).toBe(4);
  });
});

describe('a follower', () => {
  test('rolls back to the membership before, when the entry is truncated', () => {
    const solo = new Solo({ voters: [1, 2, 3] });
    const entry = {
      ...logIdAt(2, 2),
      payload: { type: 'membership' as const, membership: membershipOf(ids(2, 3)) },
    };
    solo.receive({ ...append(solo, { from: 2, term: 2, previous: [1, 1] }), entries: [entry] });
    expect(solo.status.membership.membership.configs).toEqual([[2, 3]]);
    solo.receive(append(solo, { from: 3, term: 3, previous: [1, 1], terms: [3] }));
    expect(solo.status.membership.membership.configs).toEqual([[1, 2, 3]]);
  });

  test('that an uncommitted change has removed campaigns still; a committed one silences it', () => {
    const solo = new Solo({ voters: [1, 2, 3] });
    const entry = {
      ...logIdAt(2, 2),
      payload: { type: 'membership' as const, membership: membershipOf(ids(2, 3)) },
    };
    solo.receive({ ...append(solo, { from: 2, term: 2, previous: [1, 1] }), entries: [entry] });
    expect(solo.status.role).toBe('follower');
    expect(only(solo.tick(15), 'requestPreVote').map((message) => message.to)).toEqual([2, 3]);
    solo.receive({ ...append(solo, { from: 2, term: 2, previous: [2, 2], committed: 2 }) });
    expect(solo.status.role).toBe('learner');
    expect(solo.tick(60)).toEqual([]);
  });

  test('that is a learner neither campaigns nor obeys timeoutNow', () => {
    const solo = new Solo({ id: 4, voters: [1, 2, 3], learners: [4] });
    expect(solo.tick(100)).toEqual([]);
    solo.receive({ type: 'timeoutNow', ...solo.envelope(1, 5) });
    solo.act((raft) => raft.campaign());
    expect(solo.run()).toEqual([]);
    expect(solo.status).toMatchObject({ role: 'learner', term: 5 });
  });

  test('votes for an up-to-date candidate although it is no voter in the membership it knows', () => {
    const solo = new Solo({ id: 4, voters: [1, 2, 3], learners: [4] });
    const sent = solo.receive({
      type: 'requestVote',
      ...solo.envelope(1, 5),
      lastLog: logIdAt(4, 9),
      transfer: false,
    });
    expect(only(sent, 'requestVoteResponse')).toMatchObject([{ granted: true }]);
  });

  test('a standby takes entries from a leader it has never heard of', () => {
    const cluster = new Cluster({ seed: 5, voters: 1, standbys: 1 });
    const standby = cluster.node(2);
    cluster.input(standby, (raft) =>
      raft.step({
        type: 'appendEntries',
        from: nodeId(1),
        to: nodeId(2),
        term: logIdAt(3, 0).term,
        previous: logIdAt(0, 0),
        entries: [commandAt(1, 1)],
        committed: logIndex(0),
        round: 0,
      }),
    );
    expect(cluster.raft(2).status()).toMatchObject({ leader: 1, lastLog: { index: 1 }, role: 'learner' });
  });
});

test('bootstrap gives every first voter the same committed membership', () => {
  const membership = membershipOf(ids(2, 1, 3));
  const { hardState, entry } = bootstrapLog(membership);
  expect(hardState).toEqual({ term: 1, votedFor: 1, committed: 1 });
  expect(entry).toEqual({ term: 1, leader: 1, index: 1, payload: { type: 'membership', membership } });
});

describe('whole clusters', () => {
  test('from one node to three and back to one, the first one leaving last', () => {
    const cluster = new Cluster({ seed: 7, voters: 1, standbys: 2 });
    const change = (proposal: Parameters<ReturnType<typeof cluster.raft>['proposeMembership']>[0]) => {
      const done = cluster.until(() => {
        const leader = cluster.leader();
        if (leader === undefined) return false;
        return cluster.input(leader, (raft) => raft.proposeMembership(proposal)).type === 'appended';
      }, 100);
      expect(done, JSON.stringify(proposal)).toBe(true);
      cluster.until(() => cluster.leader()?.raft?.status().membership.membership.configs.length === 1, 100);
    };
    change(learner(2));
    change(learner(3));
    change(setVoters(1, 2, 3));
    change(setVoters(3));
    expect(cluster.until(() => cluster.leader()?.id === nodeId(3), 200)).toBe(true);
    cluster.propose(cluster.node(3), 'alone');
    expect(cluster.until(() => cluster.node(3).commands.includes('alone'), 50)).toBe(true);
    expect(cluster.raft(3).status().membership.membership).toEqual(membershipOf(ids(3)));
    expect(cluster.raft(1).status().role).toBe('learner');
  });

  test('fifty learners converge, each entry sent to each about once', () => {
    const learners = Array.from({ length: 50 }, (_, i) => i + 2);
    const cluster = new Cluster({ seed: 8, voters: 1, standbys: 50 });
    cluster.until(() => cluster.leader() !== undefined, 20);
    for (const node of learners) {
      cluster.until(
        () =>
          cluster.input(cluster.node(1), (raft) => raft.proposeMembership(learner(node))).type === 'appended',
        20,
      );
    }
    cluster.until(() => false, 5);
    for (let i = 0; i < 100; i += 1) cluster.propose(cluster.node(1), `command ${i}`);
    const everywhere = () => cluster.nodes.every((node) => node.commands.length === 100);
    expect(cluster.until(everywhere, 10)).toBe(true);
  });
});

describe('a node whose disk was replaced', () => {
  /** Node 1 reads, from leader 2 of term 3, of the time when it was the only voter, on the disk 'old'. */
  const readingOfItself = (instance: string): Solo => {
    const solo = new Solo({ id: 1, voters: [2], config: { instance } });
    const membership = {
      configs: [ids(1)],
      nodes: new Map([[nodeId(1), { addr: '10.0.0.1:21001', instance: 'old' }]]),
    };
    const message = append(solo, { from: 2, term: 3, previous: [1, 1] });
    solo.receive({
      ...message,
      entries: [{ ...logIdAt(2, 2), payload: { type: 'membership', membership } }],
    });
    return solo;
  };

  test('does not take the voter that it once was for itself', () => {
    const solo = readingOfItself('new');
    const sent = solo.tick(60);
    expect(solo.status).toMatchObject({ role: 'learner', term: 3, votedFor: null });
    expect(sent).toEqual([]);
    solo.receive({ type: 'timeoutNow', ...solo.envelope(2, 3) });
    expect(solo.status).toMatchObject({ role: 'learner', term: 3 });
  });

  test('the same disk would lead by that membership', () => {
    const solo = readingOfItself('old');
    solo.tick(60);
    expect(solo.status).toMatchObject({ role: 'leader', term: 4 });
  });
});
