import { describe, expect, test } from 'vitest';
import { logIndex, nodeId } from '../src/ids.ts';
import { append, bytes, logIdAt, one, only, Solo } from './solo.ts';

const propose = (solo: Solo, text = 'x') => solo.act((raft) => raft.propose(bytes(text)));
const to2 = (messages: Parameters<typeof only>[0]) =>
  only(messages, 'appendEntries').filter((message) => message.to === 2);

describe('pipelining', () => {
  test('many proposals of a turn travel in one append', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    for (let i = 0; i < 10; i += 1) propose(solo);
    expect(to2(solo.run()).map((message) => message.entries.length)).toEqual([10]);
  });

  test('appends are cut to their limit in bytes, and hold at least one entry', () => {
    const solo = new Solo({ config: { maxAppendBytes: 200 } });
    solo.leadAndCommit();
    for (let i = 0; i < 5; i += 1) propose(solo);
    propose(solo, 'y'.repeat(500));
    expect(to2(solo.run()).map((message) => message.entries.length)).toEqual([3, 2, 1]);
  });

  test('a second append leaves before the first is answered, up to the window in messages', () => {
    const solo = new Solo({ config: { maxInflightMessages: 3 } });
    solo.leadAndCommit();
    const sent = Array.from({ length: 5 }, () => {
      propose(solo);
      return to2(solo.run()).filter((message) => message.entries.length > 0).length;
    });
    expect(sent).toEqual([1, 1, 1, 0, 0]);
    expect(one(to2(solo.accept(2, 3)), 'appendEntries').entries).toHaveLength(2);
  });

  test('and up to the window in bytes', () => {
    const solo = new Solo({ config: { maxInflightBytes: 1000, maxAppendBytes: 600 } });
    solo.leadAndCommit();
    for (let i = 0; i < 6; i += 1) propose(solo, 'y'.repeat(400));
    expect(to2(solo.run())).toHaveLength(3);
    expect(to2(solo.accept(2, 3))).toHaveLength(1);
  });

  test('the commit index is told once, without waiting for the next entry', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    propose(solo);
    solo.run();
    expect(to2(solo.accept(3, 3)).map(({ committed, entries }) => [committed, entries.length])).toEqual([
      [3, 0],
    ]);
    expect(to2(solo.accept(2, 3))).toEqual([]);
  });
});

describe('recovery', () => {
  test('a full window whose appends were lost is found by a nudge and sent again', () => {
    const solo = new Solo({ config: { maxInflightMessages: 2 } });
    solo.leadAndCommit();
    for (let i = 0; i < 3; i += 1) {
      propose(solo);
      solo.run();
    }
    expect(solo.contact(2, 0)).toEqual([]);
    const nudge = one(to2(solo.contact(2, 0)), 'appendEntries');
    expect(nudge).toMatchObject({ previous: { index: 4 }, entries: [] });
    const again = solo.respond(2, { type: 'rejected', rejected: logIndex(4), hint: logIdAt(2, 2) });
    expect(one(to2(again), 'appendEntries').entries.map((entry) => entry.index)).toEqual([3, 4, 5]);
    solo.accept(2, 5);
    expect(solo.status.peers.get(nodeId(2))).toMatchObject({ matched: 5, state: 'replicate' });
  });

  test('progress between two heartbeats needs no nudge', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    propose(solo);
    propose(solo);
    solo.run();
    solo.contact(2, 0);
    propose(solo);
    solo.run();
    solo.accept(2, 4);
    expect(to2(solo.contact(2, 0)).filter((message) => message.previous.index > 4)).toEqual([]);
  });

  test('a probe is sent once, and again after each answered heartbeat', () => {
    const solo = new Solo();
    expect(to2(solo.lead())).toHaveLength(1);
    expect(to2(solo.tick(5))).toEqual([]);
    expect(to2(solo.contact(2, 0))).toHaveLength(1);
  });

  test('an unreachable peer is probed from what it is known to have', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    propose(solo);
    solo.run();
    solo.act((raft) => raft.reportUnreachable(nodeId(2)));
    expect(solo.status.peers.get(nodeId(2))).toMatchObject({ state: 'probe', next: 3 });
    expect(to2(solo.run()), 'nothing before it answers').toEqual([]);
    expect(one(to2(solo.contact(2, 0)), 'appendEntries').entries).toHaveLength(1);
  });

  test('reports about strangers are ignored', () => {
    const solo = new Solo();
    solo.lead();
    solo.act((raft) => raft.reportUnreachable(nodeId(9)));
    solo.act((raft) => raft.reportSnapshot(nodeId(9), 'failed'));
    solo.act((raft) => raft.reportSnapshot(nodeId(2), 'failed'));
    expect(solo.status.peers.get(nodeId(2))?.state).toBe('probe');
  });
});

describe('overload', () => {
  test('proposals beyond the limit of uncommitted bytes are refused until some commit', () => {
    const solo = new Solo({ config: { maxUncommittedBytes: 300 } });
    solo.leadAndCommit();
    const outcomes = Array.from({ length: 5 }, () => propose(solo, 'y'.repeat(36)).type);
    expect(outcomes).toEqual(['appended', 'appended', 'appended', 'overloaded', 'overloaded']);
    solo.run();
    solo.accept(2, 4);
    expect([propose(solo).type, propose(solo).type]).toEqual(['appended', 'appended']);
  });

  test('one command larger than the limit passes when nothing else waits', () => {
    const solo = new Solo({ config: { maxUncommittedBytes: 100 } });
    solo.leadAndCommit();
    expect(propose(solo, 'y'.repeat(900)).type).toBe('appended');
    expect(propose(solo).type).toBe('overloaded');
  });

  test('a membership is never refused for it', () => {
    const solo = new Solo({ config: { maxUncommittedBytes: 100 } });
    solo.leadAndCommit();
    propose(solo, 'y'.repeat(900));
    const change = { type: 'addLearner' as const, node: nodeId(4), record: { addr: 'd:1' } };
    expect(solo.act((raft) => raft.proposeMembership(change)).type).toBe('appended');
  });
});

describe('leadership transfer', () => {
  const transfer = (solo: Solo, to: number | null) =>
    solo.act((raft) => raft.transferLeadership(to === null ? null : nodeId(to)));

  test('to a peer that has everything, at once', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    expect(transfer(solo, 3)).toEqual({ type: 'started', to: 3 });
    expect(one(solo.run(), 'timeoutNow').to).toBe(3);
    expect(propose(solo)).toEqual({ type: 'transferring' });
    expect(solo.status.transferTo).toBe(3);
  });

  test('to a peer that is behind, once it has caught up', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    propose(solo);
    transfer(solo, 3);
    expect(only(solo.run(), 'timeoutNow')).toEqual([]);
    expect(one(solo.accept(3, 3), 'timeoutNow').to).toBe(3);
  });

  test('by default to the voter that has most', () => {
    const solo = new Solo({ voters: [1, 2, 3, 4], learners: [5] });
    solo.leadAndCommit();
    propose(solo);
    solo.run();
    for (const node of [3, 5]) solo.accept(node, 3);
    expect(transfer(solo, null)).toEqual({ type: 'started', to: 3 });
  });

  test('by default not to a peer that was lost, not even when it has most', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    propose(solo);
    solo.run();
    solo.accept(2, 3);
    solo.act((raft) => raft.reportUnreachable(nodeId(2)));
    expect(transfer(solo, null)).toEqual({ type: 'started', to: 3 });
    const all = new Solo();
    all.leadAndCommit();
    for (const node of [2, 3]) all.act((raft) => raft.reportUnreachable(nodeId(node)));
    expect(transfer(all, null)).toEqual({ type: 'noTarget' });
  });

  test('by default to anyone while nobody has answered this leader yet', () => {
    const solo = new Solo();
    solo.lead();
    expect(transfer(solo, null)).toEqual({ type: 'started', to: 2 });
  });

  test('to nobody but a voter that is another node', () => {
    const solo = new Solo({ voters: [1, 2], learners: [4] });
    solo.leadAndCommit();
    for (const to of [1, 4, 9]) expect(transfer(solo, to)).toEqual({ type: 'noTarget' });
    const alone = new Solo({ voters: [1] });
    alone.tick(1);
    expect(transfer(alone, null)).toEqual({ type: 'noTarget' });
    expect(transfer(new Solo(), 2)).toEqual({ type: 'notLeader', leader: null });
  });

  test('is given up after an election timeout, and proposals are taken again', () => {
    const solo = new Solo({ config: { electionTimeoutTicks: 10 } });
    solo.leadAndCommit();
    transfer(solo, 3);
    solo.tick(9);
    expect(propose(solo)).toEqual({ type: 'transferring' });
    solo.tick(1);
    expect(solo.status.transferTo).toBeNull();
    expect(propose(solo).type).toBe('appended');
  });

  test('asks again with each heartbeat', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    transfer(solo, 3);
    solo.run();
    expect(only(solo.tick(1), 'timeoutNow')).toHaveLength(1);
  });

  test('the target campaigns without a pre-vote, and is heard by those who hear the leader', () => {
    const target = new Solo({ id: 3 });
    target.receive(append(target, { from: 1, term: 2, previous: [1, 1] }));
    const asked = only(target.receive({ type: 'timeoutNow', ...target.envelope(1) }), 'requestVote');
    expect(asked).toMatchObject([
      { to: 1, term: 3, transfer: true },
      { to: 2, term: 3, transfer: true },
    ]);
    const voter = new Solo({ id: 2 });
    voter.receive(append(voter, { from: 1, term: 2, previous: [1, 1] }));
    const request = asked[1];
    if (request === undefined) throw new Error('node 2 is asked');
    expect(one(voter.receive(request), 'requestVoteResponse').granted).toBe(true);
  });

  test('a timeoutNow of an earlier term is void', () => {
    const solo = new Solo({ term: 5 });
    solo.receive({ type: 'timeoutNow', ...solo.envelope(2, 4) });
    expect(solo.status).toMatchObject({ role: 'follower', term: 5 });
  });
});
