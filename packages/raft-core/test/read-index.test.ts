import { describe, expect, test } from 'vitest';
import { logIndex, nodeId } from '../src/ids.ts';
import { Cluster } from './cluster.ts';
import { append, bytes, one, only, Solo } from './solo.ts';

const read = (solo: Solo, id: number) => solo.act((raft) => raft.readIndex(id));

describe('a leader', () => {
  test('answers nothing before an entry of its own term is committed', () => {
    const solo = new Solo({ terms: [1, 1], committed: 2 });
    solo.lead();
    read(solo, 1);
    solo.run();
    const [heartbeat] = only(solo.tick(1), 'heartbeat');
    solo.contact(2, heartbeat?.round ?? 0);
    expect(solo.reads).toEqual([]);
    solo.accept(2, 4);
    const rounds = only(solo.tick(1), 'heartbeat');
    solo.contact(2, rounds[0]?.round ?? 0);
    expect(solo.reads).toEqual([{ id: 1, index: 4 }]);
  });

  test('takes no answer to a round that began before the read', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    const [before] = only(solo.tick(1), 'heartbeat');
    read(solo, 1);
    const [after] = only(solo.run(), 'heartbeat');
    solo.contact(2, before?.round ?? 0);
    solo.accept(3, 2, before?.round ?? 0);
    expect(solo.reads).toEqual([]);
    solo.contact(3, after?.round ?? 0);
    expect(solo.reads).toEqual([{ id: 1, index: 2 }]);
  });

  test('counts the answer to an append that was sent in the round', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    read(solo, 1);
    solo.act((raft) => raft.propose(bytes('x')));
    const [sent] = only(solo.run(), 'appendEntries');
    solo.accept(2, 3, sent?.round ?? 0);
    expect(solo.reads).toEqual([{ id: 1, index: 2 }]);
  });

  test('lets reads that wait at once share a round, begun after the last of them', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    read(solo, 1);
    read(solo, 2);
    const first = only(solo.run(), 'heartbeat');
    expect(first.map((message) => message.to)).toEqual([2, 3]);
    read(solo, 3);
    read(solo, 4);
    expect(only(solo.run(), 'heartbeat'), 'the second round waits for the first').toEqual([]);
    const second = only(solo.contact(2, first[0]?.round ?? 0), 'heartbeat');
    expect(solo.reads.map(({ id }) => id)).toEqual([1, 2]);
    solo.contact(2, second[0]?.round ?? 0);
    expect(solo.reads.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
  });

  test('repeats a round that was lost with the next heartbeat', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    read(solo, 1);
    solo.run();
    const [next] = only(solo.tick(1), 'heartbeat');
    solo.contact(3, next?.round ?? 0);
    expect(solo.reads).toEqual([{ id: 1, index: 2 }]);
  });

  test('does not take a learner for a part of the quorum', () => {
    const solo = new Solo({ voters: [1, 2, 3], learners: [4, 5] });
    solo.leadAndCommit();
    read(solo, 1);
    const sent = only(solo.run(), 'heartbeat');
    expect(sent.map((message) => message.to)).toEqual([2, 3]);
    for (const learner of [4, 5]) solo.contact(learner, sent[0]?.round ?? 0);
    expect(solo.reads).toEqual([]);
  });

  test('needs both majorities while the membership is joint', () => {
    const solo = new Solo({ voters: [1, 2, 3], learners: [4, 5] });
    solo.leadAndCommit();
    for (const learner of [4, 5]) solo.accept(learner, 2);
    solo.act((raft) => raft.proposeMembership({ type: 'setVoters', voters: [1, 4, 5].map(nodeId) }));
    read(solo, 1);
    const [sent] = only(solo.run(), 'heartbeat');
    for (const node of [2, 3]) solo.contact(node, sent?.round ?? 0);
    expect(solo.reads).toEqual([]);
    solo.contact(5, sent?.round ?? 0);
    expect(solo.reads).toEqual([{ id: 1, index: 2 }]);
  });

  test('alone, answers at once', () => {
    const solo = new Solo({ voters: [1] });
    solo.tick(1);
    solo.run();
    read(solo, 1);
    expect(solo.act((raft) => raft.ready()).reads).toEqual([{ id: 1, index: 2 }]);
  });

  test('drops its reads when it is one no more', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    read(solo, 1);
    solo.run();
    read(solo, 2);
    solo.receive({ type: 'heartbeatResponse', ...solo.envelope(2, 9), round: 0 });
    expect(solo.reads).toEqual([]);
    expect(solo.droppedReads).toEqual([1, 2]);
  });

  test('that was stalled while another was elected serves no stale read (etcd 20418)', () => {
    const cluster = new Cluster({ seed: 11, voters: 3 });
    cluster.until(() => cluster.leader() !== undefined, 60);
    cluster.settle();
    const stalled = cluster.leader();
    if (stalled === undefined) throw new Error('there is a leader');
    const others = cluster.nodes.filter((node) => node !== stalled);
    cluster.partition(
      [stalled.id],
      others.map((node) => node.id),
    );
    // Its own clock stands still: it believes that it leads.
    for (let i = 0; i < 100; i += 1) {
      for (const node of others) cluster.tick(node);
      cluster.settle();
    }
    const next = others.find((node) => node.raft?.status().role === 'leader');
    if (next === undefined) throw new Error('the others have elected a leader');
    cluster.propose(next, 'newer');
    cluster.settle();
    expect(stalled.raft?.status().role).toBe('leader');
    // The cluster's invariants refuse an answer below what is committed by now.
    cluster.read(stalled);
    cluster.settle();
    cluster.blocked.clear();
    cluster.until(() => cluster.pendingReads === 0, 100);
    expect(cluster.pendingReads).toBe(0);
  });

  test('takes no answer to a round of its earlier term, that a server of a later term has sent back', () => {
    const other = new Solo({ id: 2, term: 3, votedFor: 1 });
    const solo = new Solo({ term: 2 });
    const [stale] = other.receive({
      type: 'heartbeat',
      ...other.envelope(1, 2),
      committed: logIndex(0),
      round: 50,
    });
    if (stale === undefined) throw new Error('a stale leader is told of the later term');
    solo.leadAndCommit();
    expect(solo.status.term).toBe(3);
    read(solo, 1);
    solo.run();
    solo.receive(stale);
    expect(solo.reads).toEqual([]);
  });

  test('handing over, still answers by a round of its own', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    solo.act((raft) => raft.propose(bytes('x')));
    solo.act((raft) => raft.transferLeadership(nodeId(2)));
    read(solo, 1);
    const [sent] = only(solo.run(), 'heartbeat');
    expect(solo.reads).toEqual([]);
    solo.contact(3, sent?.round ?? 0);
    expect(solo.reads).toEqual([{ id: 1, index: 2 }]);
  });

  test('takes no more reads than it is set to hold', () => {
    const solo = new Solo({ config: { maxPendingReads: 2 } });
    solo.leadAndCommit();
    for (const id of [1, 2, 3]) read(solo, id);
    solo.run();
    expect(solo.droppedReads).toEqual([3]);
    const asked = { type: 'readIndexRequest' as const, ...solo.envelope(2), reads: [70, 71] };
    expect(one(solo.receive(asked), 'readIndexResponse')).toMatchObject({ reads: [70, 71], index: null });
  });
});

describe('a follower or learner', () => {
  function following(id = 1): Solo {
    const solo = new Solo({ id, voters: [1, 2, 3], learners: [4] });
    solo.receive(append(solo, { from: 2, term: 2, previous: [1, 1] }));
    return solo;
  }

  test.each([1, 4])('asks the leader, once for all reads of a turn (node %d)', (id) => {
    const solo = following(id);
    read(solo, 10);
    read(solo, 11);
    const request = one(solo.run(), 'readIndexRequest');
    expect(request).toMatchObject({ to: 2, term: 2 });
    expect(request.reads).toHaveLength(2);
    solo.receive({
      type: 'readIndexResponse',
      ...solo.envelope(2),
      reads: request.reads,
      index: logIndex(1),
    });
    expect(solo.reads).toEqual([
      { id: 10, index: 1 },
      { id: 11, index: 1 },
    ]);
  });

  test('drops what the leader could not vouch for', () => {
    const solo = following();
    read(solo, 10);
    const request = one(solo.run(), 'readIndexRequest');
    solo.receive({ type: 'readIndexResponse', ...solo.envelope(2), reads: request.reads, index: null });
    expect(solo.droppedReads).toEqual([10]);
  });

  test('without a leader drops a read at once', () => {
    const solo = new Solo();
    read(solo, 10);
    solo.run();
    expect(solo.droppedReads).toEqual([10]);
  });

  test('drops its reads when another leads', () => {
    const solo = following();
    read(solo, 10);
    const request = one(solo.run(), 'readIndexRequest');
    read(solo, 11);
    solo.receive(append(solo, { from: 3, term: 3, previous: [1, 1] }));
    expect(solo.droppedReads.toSorted()).toEqual([10, 11]);
    solo.receive({
      type: 'readIndexResponse',
      ...solo.envelope(2, 3),
      reads: request.reads,
      index: logIndex(1),
    });
    expect(solo.reads, 'a late answer finds nobody').toEqual([]);
  });

  test('drops its reads after an election timeout without an answer', () => {
    const solo = following();
    read(solo, 10);
    solo.run();
    for (let tick = 0; tick < 10; tick += 1) {
      expect(solo.droppedReads).toEqual([]);
      solo.receive({ type: 'heartbeat', ...solo.envelope(2), committed: logIndex(1), round: tick });
      solo.tick(1);
    }
    expect(solo.droppedReads).toEqual([10]);
  });

  test('after a restart takes no answer to what it asked before', () => {
    const travelling = [0.1, 0.7].map((random) => {
      const solo = new Solo({ config: { random: () => random } });
      solo.receive(append(solo, { from: 2, term: 2, previous: [1, 1] }));
      read(solo, 1);
      return one(solo.run(), 'readIndexRequest').reads[0];
    });
    expect(travelling[0]).not.toBe(travelling[1]);
  });

  test('refuses to vouch for reads itself', () => {
    const solo = following();
    const sent = solo.receive({ type: 'readIndexRequest', ...solo.envelope(3), reads: [5] });
    expect(one(sent, 'readIndexResponse')).toMatchObject({ to: 3, reads: [5], index: null });
  });
});

test('every node of a cluster reads what was committed before', () => {
  const cluster = new Cluster({ seed: 12, voters: 3, standbys: 1 });
  cluster.until(() => cluster.leader() !== undefined, 60);
  cluster.settle();
  const leader = cluster.leader();
  if (leader === undefined) throw new Error('there is a leader');
  cluster.input(leader, (raft) =>
    raft.proposeMembership({ type: 'addLearner', node: nodeId(4), record: { addr: 'd:1' } }),
  );
  cluster.until(() => cluster.node(4).store.state.applied.index > 1, 20);
  cluster.propose(leader, 'x');
  cluster.settle();
  for (const node of cluster.nodes) cluster.read(node);
  cluster.settle();
  expect(cluster.readsAnswered).toBe(4);
});
