import { describe, expect, test } from 'vitest';
import { logIndex, nodeId } from '../src/ids.ts';
import { Cluster } from './cluster.ts';
import { append, bytes, logIdAt, one, only, requestVote, Solo } from './solo.ts';

/* The Raft paper from §5.4 on, a test per sentence; what comes before is in paper.test.ts. */

describe('§5.4 safety', () => {
  test.each([
    { own: [2], last: [2, 3], granted: true, why: 'equal term, longer log' },
    { own: [2], last: [2, 2], granted: true, why: 'the same log' },
    { own: [2, 2], last: [2, 2], granted: false, why: 'equal term, shorter log' },
    { own: [2, 2, 2, 2], last: [3, 2], granted: true, why: 'later term, shorter log' },
    { own: [3], last: [2, 9], granted: false, why: 'earlier term, longer log' },
  ] as const)('§5.4.1 the voter compares last terms, then lengths: $why', ({ own, last, granted }) => {
    const solo = new Solo({ terms: own });
    expect(one(requestVote(solo, 2, 5, last), 'requestVoteResponse').granted).toBe(granted);
  });

  test('§5.4.2 entries of earlier terms are never committed by counting (figure 8)', () => {
    const solo = new Solo({ terms: [2], term: 3 });
    solo.lead();
    solo.accept(2, 2);
    solo.accept(3, 2);
    expect(solo.status.committed).toBe(1);
    solo.accept(2, 3);
    expect(solo.status.committed).toBe(3);
  });
});

describe('§5.5 crashes', () => {
  test('a repeated append is harmless', () => {
    const solo = new Solo();
    const message = append(solo, { from: 2, term: 2, previous: [1, 1], terms: [2, 2], committed: 2 });
    const first = solo.receive(message);
    expect(solo.receive(message)).toEqual(first);
    expect(solo.logTerms).toEqual([1, 2, 2]);
    expect(solo.applied.map((entry) => entry.index)).toEqual([2]);
  });
});

describe('§5.6 and figure 2: state', () => {
  test('term and vote are on disk before any answer that depends on them', () => {
    const solo = new Solo();
    solo.act((raft) =>
      raft.step({ type: 'requestVote', ...solo.envelope(2, 5), lastLog: logIdAt(1, 1), transfer: false }),
    );
    const ready = solo.act((raft) => raft.ready());
    expect(ready.early).toEqual([]);
    expect(ready.mustSync).toBe(true);
    expect(ready.hardState).toMatchObject({ term: 5, votedFor: 2 });
    expect(one(ready.messages, 'requestVoteResponse').granted).toBe(true);
  });

  test('entries are on disk before they are acknowledged', () => {
    const solo = new Solo();
    solo.act((raft) => raft.step(append(solo, { from: 2, term: 2, previous: [1, 1], terms: [2] })));
    const ready = solo.act((raft) => raft.ready());
    expect(ready.early).toEqual([]);
    expect(ready.mustSync).toBe(true);
    expect(ready.entries.map((entry) => entry.index)).toEqual([2]);
    expect(one(ready.messages, 'appendEntriesResponse').result).toEqual({ type: 'accepted', matched: 2 });
  });

  test('if leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new entry)', () => {
    const solo = new Solo({ terms: [1, 1, 1] });
    solo.receive(append(solo, { from: 2, term: 2, previous: [1, 1], terms: [1], committed: 4 }));
    expect(solo.status.committed).toBe(2);
  });

  test('a restarted server remembers its term, vote and log', () => {
    const solo = new Solo({ terms: [2, 2], term: 4, votedFor: 3, committed: 2 });
    expect(solo.status).toMatchObject({
      term: 4,
      votedFor: 3,
      lastLog: { index: 3 },
      committed: 2,
      persisted: 3,
    });
    expect(one(requestVote(solo, 2, 4, [9, 9]), 'requestVoteResponse').granted).toBe(false);
  });
});

describe('§6 membership changes', () => {
  test('a new configuration is in effect as soon as it is appended', () => {
    const solo = new Solo({ voters: [1, 2, 3], learners: [4] });
    solo.leadAndCommit();
    solo.accept(4, 2);
    solo.act((raft) => raft.proposeMembership({ type: 'setVoters', voters: [1, 2, 4].map(nodeId) }));
    expect(solo.status.membership.membership.configs).toEqual([
      [1, 2, 3],
      [1, 2, 4],
    ]);
  });

  test('joint: agreement needs separate majorities of the old and the new configuration', () => {
    const solo = new Solo({ voters: [1, 2, 3], learners: [4, 5] });
    solo.leadAndCommit();
    for (const learner of [4, 5]) solo.accept(learner, 2);
    solo.act((raft) => raft.proposeMembership({ type: 'setVoters', voters: [1, 4, 5].map(nodeId) }));
    solo.run();
    solo.accept(2, 3);
    expect(solo.status.committed).toBe(2);
    solo.accept(4, 3);
    expect(solo.status.committed).toBe(3);
  });

  test('once the joint configuration is committed the leader appends the new one', () => {
    const solo = new Solo({ voters: [1, 2, 3], learners: [4] });
    solo.leadAndCommit();
    solo.accept(4, 2);
    solo.act((raft) => raft.proposeMembership({ type: 'setVoters', voters: [1, 2, 4].map(nodeId) }));
    solo.run();
    for (const peer of [2, 3, 4]) solo.accept(peer, 3);
    expect(solo.status.lastLog.index).toBe(4);
    expect(solo.status.membership.membership.configs).toEqual([[1, 2, 4]]);
    expect([...solo.status.membership.membership.nodes.keys()]).toEqual([1, 2, 4]);
  });

  test('a leader outside the new configuration steps down once that is committed, not sooner', () => {
    const solo = new Solo({ voters: [1, 2, 3] });
    solo.leadAndCommit();
    solo.act((raft) => raft.proposeMembership({ type: 'setVoters', voters: [2, 3].map(nodeId) }));
    solo.run();
    for (const peer of [2, 3]) solo.accept(peer, 3);
    expect(solo.status.role).toBe('leader');
    solo.accept(2, 4);
    expect(solo.status.role).toBe('leader');
    const sent = solo.accept(3, 4);
    expect(one(sent, 'timeoutNow').to).toBe(2);
    expect(solo.status).toMatchObject({ role: 'learner', committed: 4 });
  });

  test('servers disregard requests for votes while they believe that a leader exists', () => {
    const solo = new Solo();
    solo.receive(append(solo, { from: 2, term: 2, previous: [1, 1] }));
    expect(requestVote(solo, 3, 9, [9, 9])).toEqual([]);
    expect(solo.status.term).toBe(2);
    solo.tick(10);
    expect(one(requestVote(solo, 3, 9, [9, 9]), 'requestVoteResponse').granted).toBe(true);
  });
});

describe('§7 log compaction', () => {
  test('the leader sends a snapshot when it has already discarded the next entry a follower needs', () => {
    const solo = new Solo({ terms: [1, 1, 1], committed: 4 });
    solo.run();
    const to = logIdAt(1, 4);
    solo.disk.compact(to);
    solo.act((raft) => raft.compacted(to));
    solo.lead();
    const sent = solo.respond(2, { type: 'rejected', rejected: logIndex(4), hint: logIdAt(1, 1) });
    expect(one(sent, 'installSnapshot').snapshot.last.index).toBe(4);
  });

  test('a snapshot beyond the log replaces it', () => {
    const solo = new Solo({ terms: [2, 2], committed: 2 });
    const { membership } = solo.status.membership;
    const snapshot = { last: logIdAt(3, 9), membership, membershipLogId: logIdAt(1, 1) };
    const sent = solo.receive({ type: 'installSnapshot', ...solo.envelope(2, 3), snapshot, round: 0 });
    expect(one(sent, 'appendEntriesResponse').result).toEqual({ type: 'accepted', matched: 9 });
    expect(solo.status).toMatchObject({
      committed: 9,
      applied: 9,
      lastLog: { index: 9 },
      compacted: { index: 9 },
    });
    expect(solo.disk.log).toEqual([]);
  });

  test('a snapshot of a prefix of the log keeps the entries behind it', () => {
    const solo = new Solo({ terms: [2, 2, 2] });
    const { membership } = solo.status.membership;
    const snapshot = { last: logIdAt(2, 3), membership, membershipLogId: logIdAt(1, 1) };
    solo.receive({ type: 'installSnapshot', ...solo.envelope(2, 3), snapshot, round: 0 });
    expect(solo.status).toMatchObject({ committed: 3, lastLog: { index: 4 } });
    expect(solo.logTerms).toEqual([1, 2, 2, 2]);
  });
});

describe('§8 client interaction', () => {
  test('a new leader begins its term with a blank entry', () => {
    const solo = new Solo();
    const sent = solo.lead();
    for (const message of only(sent, 'appendEntries')) {
      expect(message.entries).toMatchObject([{ term: 2, index: 2, payload: { type: 'blank' } }]);
    }
  });

  test('a server that does not lead refuses commands and names the leader it knows', () => {
    const solo = new Solo();
    expect(solo.act((raft) => raft.propose(bytes('x')))).toEqual({ type: 'notLeader', leader: null });
    solo.receive(append(solo, { from: 3, term: 2, previous: [1, 1] }));
    expect(solo.act((raft) => raft.propose(bytes('x')))).toEqual({ type: 'notLeader', leader: 3 });
  });

  test('a leader answers a read only after a quorum has answered it since', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    solo.act((raft) => raft.readIndex(7));
    const [asked] = only(solo.run(), 'heartbeat');
    expect(solo.reads).toEqual([]);
    solo.contact(2, asked?.round ?? 0);
    expect(solo.reads).toEqual([{ id: 7, index: 2 }]);
  });
});

test('§10 a whole cluster elects, commits, and survives the loss of its leader', () => {
  const cluster = new Cluster({ seed: 1, voters: 3 });
  expect(cluster.until(() => cluster.leader() !== undefined, 60)).toBe(true);
  const first = cluster.leader();
  if (first === undefined) throw new Error('there is a leader');
  cluster.propose(first, 'one');
  cluster.settle();
  cluster.crash(first);
  expect(cluster.until(() => cluster.leader() !== undefined, 100)).toBe(true);
  const second = cluster.leader();
  if (second === undefined) throw new Error('there is a leader');
  cluster.propose(second, 'two');
  cluster.settle();
  cluster.start(first);
  expect(cluster.until(() => first.commands.length === 2, 100)).toBe(true);
  expect(first.commands).toEqual(['one', 'two']);
});
