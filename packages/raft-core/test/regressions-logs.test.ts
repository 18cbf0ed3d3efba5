import { describe, expect, test } from 'vitest';
import { logIndex, nodeId } from '../src/ids.ts';
import { Cluster, membershipOf } from './cluster.ts';
import { append, bytes, logIdAt, one, only, Solo } from './solo.ts';

/* One test per bug that another implementation had, or this one: logs, flows, snapshots, memberships, limits. */

describe('appends', () => {
  test('a candidate checks the previous entry like any other receiver', () => {
    const solo = new Solo({ voters: [1, 2, 3, 4, 5], terms: [2, 2], term: 3 });
    solo.act((raft) => raft.campaign());
    solo.run();
    for (const from of [2, 3]) {
      solo.receive({ type: 'requestPreVoteResponse', ...solo.envelope(from, 4), granted: true });
    }
    expect(solo.status.role).toBe('candidate');
    const sent = solo.receive(append(solo, { from: 5, term: 4, previous: [3, 3], terms: [4], committed: 4 }));
    expect(one(sent, 'appendEntriesResponse').result.type).toBe('rejected');
    expect(solo.logTerms).toEqual([1, 2, 2]);
  });

  test('an append that begins before the compacted prefix is taken from where it goes on', () => {
    const solo = new Solo({ terms: [1, 1, 1], committed: 4 });
    solo.run();
    const to = logIdAt(1, 4);
    solo.disk.compact(to);
    solo.act((raft) => raft.compacted(to));
    const sent = solo.receive(append(solo, { from: 2, term: 1, previous: [1, 1], terms: [1, 1, 1, 1, 1] }));
    expect(one(sent, 'appendEntriesResponse').result).toEqual({ type: 'accepted', matched: 6 });
    expect(solo.disk.log.map((entry) => entry.index)).toEqual([5, 6]);
  });

  test('a late append takes no newer entries away (the most common error in the 6.824 labs)', () => {
    const solo = new Solo();
    const early = append(solo, { from: 2, term: 2, previous: [1, 1], terms: [2] });
    solo.receive(early);
    solo.receive(append(solo, { from: 2, term: 2, previous: [2, 2], terms: [2, 2] }));
    expect(one(solo.receive(early), 'appendEntriesResponse').result).toEqual({
      type: 'accepted',
      matched: 2,
    });
    expect(solo.logTerms).toEqual([1, 2, 2, 2]);
  });

  test('no more is acknowledged than the append has verified, whatever the log holds behind it', () => {
    const solo = new Solo({ terms: [1, 1, 1] });
    const sent = solo.receive(append(solo, { from: 2, term: 2, previous: [1, 1], terms: [1] }));
    expect(one(sent, 'appendEntriesResponse').result).toEqual({ type: 'accepted', matched: 2 });
  });

  test('an append that contradicts what is committed here stops the server (openraft 1892)', () => {
    const solo = new Solo({ terms: [2, 2], committed: 3 });
    const wrong = append(solo, { from: 2, term: 3, previous: [1, 1], terms: [2, 3, 3] });
    expect(() => solo.act((raft) => raft.step(wrong))).toThrow('contradicts entry 3, committed');
  });

  test('a rejection that overtakes a later acceptance does not move a peer back', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    solo.act((raft) => raft.propose(bytes('x')));
    solo.run();
    solo.accept(2, 3);
    solo.respond(2, { type: 'rejected', rejected: logIndex(2), hint: logIdAt(1, 1) });
    expect(solo.status.peers.get(nodeId(2))).toMatchObject({ matched: 3, next: 4, state: 'replicate' });
  });
});

describe('flows', () => {
  /** Leads with a log of five entries, compacted up to `to`; peer 2 has answered nothing yet. */
  function leaderCompactedTo(to: number): Solo {
    const solo = new Solo({ terms: [1, 1, 1], committed: 4 });
    solo.lead();
    solo.accept(3, 5);
    const last = logIdAt(1, to);
    solo.disk.compact(last);
    solo.act((raft) => raft.compacted(last));
    return solo;
  }

  test('a hint below what is compacted leads to a snapshot at once, not to a probe (openraft 1828)', () => {
    const solo = leaderCompactedTo(4);
    const sent = solo.respond(2, { type: 'rejected', rejected: logIndex(4), hint: logIdAt(1, 3) });
    expect(only(sent, 'appendEntries')).toEqual([]);
    expect(one(sent, 'installSnapshot').snapshot.last.index).toBe(5);
  });

  test('a hint at what is compacted leads to a probe: its log id is still known', () => {
    const solo = leaderCompactedTo(3);
    const sent = solo.respond(2, { type: 'rejected', rejected: logIndex(4), hint: logIdAt(1, 3) });
    expect(only(sent, 'installSnapshot')).toEqual([]);
    expect(one(sent, 'appendEntries').previous).toEqual(logIdAt(1, 3));
  });

  test('a second report of a snapshot, or one that is late, changes nothing', () => {
    const solo = leaderCompactedTo(4);
    solo.respond(2, { type: 'rejected', rejected: logIndex(4), hint: logIdAt(1, 1) });
    solo.act((raft) => raft.reportSnapshot(nodeId(2), 'sent'));
    solo.accept(2, 5);
    const fed = solo.status.peers.get(nodeId(2));
    expect(fed).toMatchObject({ state: 'replicate', matched: 5 });
    for (const result of ['sent', 'failed'] as const) {
      solo.act((raft) => raft.reportSnapshot(nodeId(2), result));
    }
    expect(solo.status.peers.get(nodeId(2))).toEqual(fed);
    expect(solo.run()).toEqual([]);
  });

  test.each([
    { what: 'which reaches beyond that', reached: 6, next: 'appendEntries' },
    { what: 'which does not', reached: 5, next: 'installSnapshot' },
  ] as const)(
    'a log compacted while a snapshot is under way costs no other one, unless it must: $what',
    ({ reached, next }) => {
      const solo = leaderCompactedTo(4);
      solo.respond(2, { type: 'rejected', rejected: logIndex(4), hint: logIdAt(1, 1) });
      solo.act((raft) => raft.propose(bytes('x')));
      solo.run();
      solo.accept(3, 6);
      const to = solo.status.lastLog;
      solo.disk.compact(to);
      solo.act((raft) => raft.compacted(to));
      solo.act((raft) => raft.reportSnapshot(nodeId(2), 'sent'));
      // Its disk is slow: a heartbeat is answered before the snapshot is acknowledged.
      expect(one(solo.contact(2, 0), 'appendEntries').previous).toEqual(to);
      if (reached === 6) solo.accept(2, 6);
      else
        solo.act((raft) =>
          raft.step({
            type: 'appendEntriesResponse',
            ...solo.envelope(2),
            result: { type: 'rejected', rejected: logIndex(6), hint: logIdAt(1, reached) },
            round: 0,
          }),
        );
      solo.act((raft) => raft.propose(bytes('y')));
      expect(
        solo
          .run()
          .filter(({ to: node }) => node === 2)
          .map(({ type }) => type),
      ).toEqual([next]);
    },
  );

  test('a learner added while it is cut off gets the purged log by a snapshot later (openraft 1828)', () => {
    const cluster = new Cluster({ seed: 11, voters: 3, standbys: 1 });
    cluster.partition([1, 2, 3], [4]);
    cluster.until(() => cluster.leader() !== undefined, 60);
    const leader = cluster.leader();
    if (leader === undefined) throw new Error('three nodes elect a leader');
    const lead = () => cluster.raft(leader.id).status();
    cluster.until(() => lead().committed === lead().lastLog.index, 20);
    cluster.input(leader, (raft) =>
      raft.proposeMembership({ type: 'addLearner', node: nodeId(4), record: { addr: 'd:1' } }),
    );
    for (let i = 0; i < 20; i += 1) cluster.propose(leader, `command ${i}`);
    cluster.until(() => leader.commands.length === 20, 20);
    for (const node of cluster.nodes.slice(0, 3)) cluster.compact(node);
    expect(leader.disk.log).toEqual([]);
    cluster.blocked.clear();
    expect(cluster.until(() => cluster.node(4).commands.length === 20, 60)).toBe(true);
    expect(cluster.until(() => lead().peers.get(nodeId(4))?.state === 'replicate', 20)).toBe(true);
  });
});

describe('snapshots', () => {
  test('of a prefix keep what the log holds behind it (paper §7, figure 13)', () => {
    const solo = new Solo({ terms: [2, 2, 2], term: 2 });
    const { membership } = solo.status.membership;
    const snapshot = { last: logIdAt(2, 3), membership, membershipLogId: logIdAt(1, 1) };
    solo.act((raft) => raft.step({ type: 'installSnapshot', ...solo.envelope(2), snapshot, round: 0 }));
    const ready = solo.act((raft) => raft.ready());
    expect(ready.snapshot).toBeNull();
    expect(solo.status).toMatchObject({ committed: 3, lastLog: { index: 4 } });
  });

  test('that come while entries are being written replace those too', () => {
    const solo = new Solo();
    solo.act((raft) => raft.step(append(solo, { from: 2, term: 2, previous: [1, 1], terms: [2, 2] })));
    const writing = solo.act((raft) => raft.ready());
    const { membership } = solo.status.membership;
    const snapshot = { last: logIdAt(3, 9), membership, membershipLogId: logIdAt(1, 1) };
    solo.act((raft) => raft.step({ type: 'installSnapshot', ...solo.envelope(3, 3), snapshot, round: 0 }));
    solo.act((raft) => raft.step(append(solo, { from: 3, term: 3, previous: [3, 9], terms: [3] })));
    solo.finish(writing);
    const ready = solo.act((raft) => raft.ready());
    expect(ready).toMatchObject({ snapshot, entries: [{ index: 10 }], mustSync: true });
    solo.finish(ready);
    expect(solo.disk.compacted).toEqual(snapshot.last);
    expect(solo.status).toMatchObject({ applied: 9, persisted: 10, compacted: snapshot.last });
  });
});

describe('memberships', () => {
  const joint = {
    configs: [[1, 2, 3].map(nodeId), [3, 4, 5].map(nodeId)],
    nodes: membershipOf([1, 2, 3, 4, 5].map(nodeId)).nodes,
  };
  const entry = { ...logIdAt(2, 2), payload: { type: 'membership' as const, membership: joint } };

  test('a joint membership that is truncated gives way to the old one, for elections too', () => {
    const solo = new Solo({ voters: [1, 2, 3], learners: [4, 5] });
    solo.receive({ ...append(solo, { from: 2, term: 2, previous: [1, 1] }), entries: [entry] });
    expect(only(solo.tick(20), 'requestPreVote').map(({ to }) => to)).toEqual([2, 3, 4, 5]);
    solo.receive(append(solo, { from: 3, term: 3, previous: [1, 1], terms: [3] }));
    expect(solo.status.membership).toMatchObject({
      logId: { index: 1 },
      membership: { configs: [[1, 2, 3]] },
    });
    expect(only(solo.tick(20), 'requestPreVote').map(({ to }) => to)).toEqual([2, 3]);
  });

  const grant = (solo: Solo, from: number) =>
    solo.receive({
      type: 'requestPreVoteResponse',
      ...solo.envelope(from, solo.status.term + 1),
      granted: true,
    });

  test('a candidate needs both majorities of the joint one in its log, though it is not committed', () => {
    const solo = new Solo({ voters: [1, 2, 3], learners: [4, 5] });
    solo.receive({ ...append(solo, { from: 2, term: 2, previous: [1, 1] }), entries: [entry] });
    solo.tick(15);
    for (const from of [2, 3]) grant(solo, from);
    expect(solo.status.role).toBe('preCandidate');
    grant(solo, 4);
    expect(solo.status.role).toBe('candidate');
  });

  test('what learners and strangers grant elects nobody (etcd 20896, 21736)', () => {
    const solo = new Solo({ voters: [1, 2, 3], learners: [4, 5] });
    expect(only(solo.tick(20), 'requestPreVote').map(({ to }) => to)).toEqual([2, 3]);
    for (const from of [4, 5, 8, 9]) grant(solo, from);
    expect(solo.status.role).toBe('preCandidate');
    grant(solo, 3);
    expect(solo.status.role).toBe('candidate');
  });

  test('the uniform one that ends it gives way to the joint one, which the next leader ends again', () => {
    const solo = new Solo({ id: 3, voters: [1, 2, 3], learners: [4, 5] });
    solo.receive({ ...append(solo, { from: 2, term: 2, previous: [1, 1], committed: 2 }), entries: [entry] });
    const uniform = {
      ...logIdAt(2, 3),
      payload: { type: 'membership' as const, membership: membershipOf([3, 4, 5].map(nodeId)) },
    };
    solo.receive({ ...append(solo, { from: 2, term: 2, previous: [2, 2] }), entries: [uniform] });
    expect(solo.status.membership.membership.configs).toEqual([[3, 4, 5]]);
    solo.receive(append(solo, { from: 1, term: 3, previous: [2, 2], terms: [3], committed: 2 }));
    expect(solo.status.membership.membership.configs).toEqual(joint.configs);
    solo.tick(20);
    solo.lead();
    const { lastLog } = solo.status;
    for (const peer of [1, 4]) solo.accept(peer, lastLog.index);
    expect(solo.status).toMatchObject({
      committed: lastLog.index,
      membership: { logId: { index: lastLog.index + 1 }, membership: { configs: [[3, 4, 5]] } },
    });
  });

  test('a removed leader is not kept in office by being asked to hand over to one after the other', () => {
    const solo = new Solo({ voters: [1, 2, 3], config: { electionTimeoutTicks: 10 } });
    solo.leadAndCommit();
    solo.act((raft) => raft.proposeMembership({ type: 'setVoters', voters: [2, 3].map(nodeId) }));
    solo.run();
    for (const peer of [2, 3]) solo.accept(peer, 3);
    // Its removal is committed by their disks; both lack an entry that it has taken meanwhile.
    solo.act((raft) => raft.propose(bytes('in between')));
    solo.run();
    for (const peer of [2, 3]) solo.accept(peer, 4);
    expect(solo.status).toMatchObject({ role: 'leader', committed: 4 });
    for (let tick = 0; tick < 12 && solo.status.role === 'leader'; tick += 1) {
      solo.act((raft) => raft.transferLeadership(nodeId(2 + (tick % 2))));
      solo.tick(1);
      if (solo.status.role === 'leader') for (const peer of [2, 3]) solo.contact(peer, 0);
    }
    expect(solo.status.role).not.toBe('leader');
  });
});

describe('limits', () => {
  test('a leader’s bound on uncommitted bytes is not charged with what it took over (etcd/raft)', () => {
    const solo = new Solo({ terms: [1, 1, 1], config: { maxUncommittedBytes: 200 } });
    solo.lead();
    expect(solo.act((raft) => raft.propose(bytes('x'))).type).toBe('appended');
    expect(solo.act((raft) => raft.propose(bytes('x'))).type).toBe('appended');
    expect(solo.act((raft) => raft.propose(bytes('x'))).type).toBe('overloaded');
  });

  test('and begins anew when it leads again, its old entries truncated', () => {
    const solo = new Solo({ config: { maxUncommittedBytes: 200 } });
    const fill = () => {
      let taken = 0;
      while (solo.act((raft) => raft.propose(bytes('x'))).type === 'appended') taken += 1;
      return taken;
    };
    solo.lead();
    const taken = fill();
    solo.run();
    solo.receive(append(solo, { from: 2, term: 3, previous: [1, 1], terms: [3], committed: 2 }));
    solo.tick(20);
    solo.lead();
    expect(fill()).toBe(taken);
  });
});
