import { describe, expect, test } from 'vitest';
import { logIndex, nodeId } from '../src/ids.ts';
import { Cluster } from './cluster.ts';
import { append, bytes, logIdAt, one, only, Solo } from './solo.ts';

const requestVote = (
  solo: Solo,
  from: number,
  at: number,
  last: readonly [number, number],
  transfer = false,
) =>
  solo.receive({
    type: 'requestVote',
    ...solo.envelope(from, at),
    lastLog: logIdAt(last[0], last[1]),
    transfer,
  });

describe('§5.1 terms', () => {
  test('a server that sees a larger term takes it over', () => {
    const solo = new Solo();
    solo.receive(append(solo, { from: 2, term: 5, previous: [1, 1] }));
    expect(solo.status.term).toBe(5);
    expect(solo.disk.hardState.term).toBe(5);
  });

  test('a candidate or leader that finds its term out of date becomes a follower', () => {
    const leader = new Solo();
    leader.lead();
    leader.receive({ type: 'heartbeatResponse', ...leader.envelope(2, 9), round: 0 });
    expect(leader.status).toMatchObject({ role: 'follower', term: 9, leader: null, votedFor: null });

    const candidate = new Solo({ voters: [1, 2, 3, 4, 5] });
    candidate.act((raft) => raft.campaign());
    candidate.run();
    candidate.receive({ type: 'requestPreVoteResponse', ...candidate.envelope(2, 9), granted: false });
    expect(candidate.status).toMatchObject({ role: 'follower', term: 9 });
  });

  test('a request with a stale term is rejected', () => {
    const solo = new Solo({ term: 5 });
    const sent = solo.receive(append(solo, { from: 2, term: 4, previous: [1, 1], terms: [4] }));
    expect(one(sent, 'heartbeatResponse').term).toBe(5);
    expect(solo.status.lastLog.index).toBe(1);
    expect(one(requestVote(solo, 3, 4, [9, 9]), 'requestVoteResponse')).toMatchObject({
      term: 5,
      granted: false,
    });
  });
});

describe('§5.2 leader election', () => {
  test('servers start as followers', () => {
    expect(new Solo().status).toMatchObject({ role: 'follower', leader: null });
  });

  test('a server remains a follower as long as it receives valid messages from a leader', () => {
    const solo = new Solo();
    for (let i = 0; i < 100; i += 1) {
      solo.tick(5);
      solo.receive({ type: 'heartbeat', ...solo.envelope(2, 2), committed: logIndex(0), round: i });
    }
    expect(solo.status).toMatchObject({ role: 'follower', term: 2, leader: 2 });
  });

  test('a leader sends heartbeats to all followers to keep its authority', () => {
    const solo = new Solo({ voters: [1, 2, 3], learners: [4] });
    solo.lead();
    expect(only(solo.tick(1), 'heartbeat').map((message) => message.to)).toEqual([2, 3, 4]);
  });

  test('a follower that hears nothing for an election timeout begins an election', () => {
    const solo = new Solo({ config: { electionTimeoutTicks: 10, random: () => 0.5 } });
    expect(solo.tick(14)).toEqual([]);
    expect(only(solo.tick(1), 'requestPreVote').map((message) => message.to)).toEqual([2, 3]);
  });

  test('to begin an election a follower increments its term, votes for itself and asks all others', () => {
    const solo = new Solo({ term: 3 });
    solo.act((raft) => raft.campaign());
    solo.run();
    const sent = solo.receive({ type: 'requestPreVoteResponse', ...solo.envelope(2, 4), granted: true });
    expect(only(sent, 'requestVote')).toMatchObject([
      { to: 2, term: 4, transfer: false },
      { to: 3, term: 4, transfer: false },
    ]);
    expect(solo.disk.hardState).toMatchObject({ term: 4, votedFor: 1 });
  });

  test.each([1, 2, 3, 4, 5, 7])('of %d servers a majority of votes wins, and no fewer', (size) => {
    const voters = Array.from({ length: size }, (_, i) => i + 1);
    const solo = new Solo({ voters, term: 3 });
    solo.act((raft) => raft.campaign());
    solo.run();
    for (const from of voters.slice(1)) {
      solo.receive({ type: 'requestPreVoteResponse', ...solo.envelope(from, 4), granted: true });
    }
    for (let granted = 1; granted <= Math.floor(size / 2); granted += 1) {
      expect(solo.status.role).toBe('candidate');
      solo.receive({ type: 'requestVoteResponse', ...solo.envelope(granted + 1, 4), granted: true });
    }
    expect(solo.status).toMatchObject({ role: 'leader', term: 4 });
  });

  test('a server votes for at most one candidate in a term, first come first served', () => {
    const solo = new Solo();
    expect(one(requestVote(solo, 2, 5, [1, 1]), 'requestVoteResponse').granted).toBe(true);
    expect(one(requestVote(solo, 3, 5, [1, 1]), 'requestVoteResponse').granted).toBe(false);
    expect(one(requestVote(solo, 2, 5, [1, 1]), 'requestVoteResponse').granted).toBe(true);
  });

  test('a candidate that wins sends to all others to establish its authority', () => {
    const solo = new Solo();
    const sent = solo.lead();
    expect(only(sent, 'appendEntries').map((message) => message.to)).toEqual([2, 3]);
  });

  test('a candidate that hears a leader of its term returns to follower', () => {
    const solo = new Solo({ voters: [1, 2, 3, 4, 5], term: 3 });
    solo.act((raft) => raft.campaign());
    solo.run();
    for (const from of [2, 3]) {
      solo.receive({ type: 'requestPreVoteResponse', ...solo.envelope(from, 4), granted: true });
    }
    expect(solo.status.role).toBe('candidate');
    solo.receive(append(solo, { from: 5, term: 4, previous: [1, 1] }));
    expect(solo.status).toMatchObject({ role: 'follower', leader: 5, votedFor: 1 });
  });

  test('a candidate that hears a leader of an older term stays a candidate', () => {
    const solo = new Solo({ term: 3 });
    solo.act((raft) => raft.campaign());
    solo.run();
    solo.receive({ type: 'requestPreVoteResponse', ...solo.envelope(2, 4), granted: true });
    solo.receive(append(solo, { from: 3, term: 3, previous: [1, 1] }));
    expect(solo.status).toMatchObject({ role: 'candidate', term: 4 });
  });

  test('a candidate without a winner times out and starts a new election', () => {
    const solo = new Solo();
    solo.act((raft) => raft.campaign());
    solo.run();
    expect(only(solo.tick(15), 'requestPreVote')).toHaveLength(2);
  });

  test('election timeouts are spread over a fixed interval', () => {
    const timeouts = new Set<number>();
    for (let i = 0; i < 10; i += 1) {
      const solo = new Solo({ config: { electionTimeoutTicks: 10, random: () => i / 10 } });
      let ticks = 0;
      while (solo.status.role === 'follower') ticks += solo.tick(1).length > 0 ? 1 : 1;
      timeouts.add(ticks);
    }
    expect([...timeouts]).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });
});

describe('§5.3 log replication', () => {
  test('the leader appends a command to its log and sends it to all others', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    expect(solo.act((raft) => raft.propose(bytes('x')))).toMatchObject({
      type: 'appended',
      logId: { index: 3 },
    });
    const sent = only(solo.run(), 'appendEntries').filter((message) => message.entries.length > 0);
    expect(sent.map(({ to, entries }) => [to, entries[0]?.index])).toEqual([
      [2, 3],
      [3, 3],
    ]);
    expect(solo.logTerms).toEqual([1, 2, 2]);
  });

  test('an entry is committed once a majority has it', () => {
    const solo = new Solo({ voters: [1, 2, 3, 4, 5] });
    solo.leadAndCommit();
    solo.act((raft) => raft.propose(bytes('x')));
    solo.run();
    solo.accept(2, 3);
    expect(solo.status.committed).toBe(2);
    solo.accept(3, 3);
    expect(solo.status.committed).toBe(3);
    expect(solo.applied.at(-1)?.index).toBe(3);
  });

  test('committing an entry commits all before it, those of earlier leaders included', () => {
    const solo = new Solo({ terms: [2, 2, 3] });
    solo.lead();
    solo.accept(2, 5);
    expect(solo.applied.map((entry) => entry.index)).toEqual([2, 3, 4, 5]);
  });

  test('followers learn what is committed from later messages and apply it in log order', () => {
    const solo = new Solo();
    solo.receive(append(solo, { from: 2, term: 2, previous: [1, 1], terms: [2, 2] }));
    expect(solo.applied).toEqual([]);
    solo.receive(append(solo, { from: 2, term: 2, previous: [2, 3], committed: 3 }));
    expect(solo.applied.map((entry) => entry.index)).toEqual([2, 3]);
  });

  test('the leader resends appends until all followers have all entries', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    solo.act((raft) => raft.propose(bytes('lost')));
    solo.run();
    // The peer answers heartbeats and nothing else: the append was lost.
    const resent = [1, 2, 3, 4].flatMap((round) => {
      solo.tick(1);
      return only(solo.contact(2, round), 'appendEntries');
    });
    const nudge = resent[0];
    expect(nudge?.previous.index).toBe(3);
    const again = solo.respond(2, { type: 'rejected', rejected: logIndex(3), hint: logIdAt(2, 2) });
    expect(one(again, 'appendEntries').entries.map((entry) => entry.index)).toEqual([3]);
  });

  test('a follower that lacks the previous entry refuses the new ones', () => {
    const solo = new Solo({ terms: [1, 1] });
    const refused = (previous: [number, number]) =>
      one(solo.receive(append(solo, { from: 2, term: 3, previous, terms: [3] })), 'appendEntriesResponse')
        .result;
    expect(refused([2, 9])).toEqual({ type: 'rejected', rejected: 9, hint: logIdAt(1, 3) });
    expect(refused([2, 3])).toEqual({ type: 'rejected', rejected: 3, hint: logIdAt(1, 3) });
    expect(solo.logTerms).toEqual([1, 1, 1]);
  });

  test('conflicting entries are overwritten with those of the leader', () => {
    const solo = new Solo({ terms: [1, 2, 2, 2] });
    solo.receive(append(solo, { from: 2, term: 3, previous: [1, 2], terms: [3, 3] }));
    expect(solo.logTerms).toEqual([1, 1, 3, 3]);
    expect(solo.status.persisted).toBe(4);
  });

  test('entries that agree are kept: an old append truncates nothing', () => {
    const solo = new Solo({ terms: [2, 2, 2, 2] });
    const sent = solo.receive(append(solo, { from: 2, term: 2, previous: [1, 1], terms: [2, 2] }));
    expect(one(sent, 'appendEntriesResponse').result).toEqual({ type: 'accepted', matched: 3 });
    expect(solo.logTerms).toEqual([1, 2, 2, 2, 2]);
  });

  test('the leader backs up over a divergent suffix by terms, not one by one', () => {
    const solo = new Solo({ terms: [2, 2, 2, 2, 2, 2, 2, 2, 2, 6], term: 6 });
    solo.lead();
    // The follower has term 3 where the leader has term 2.
    solo.respond(2, { type: 'rejected', rejected: logIndex(11), hint: logIdAt(3, 11) });
    const sent = solo.respond(2, { type: 'rejected', rejected: logIndex(10), hint: logIdAt(1, 1) });
    expect(one(sent, 'appendEntries').previous).toEqual(logIdAt(1, 1));
  });

  test('figure 7: a leader makes every other log equal to its own', () => {
    const leaderLog = [1, 1, 4, 4, 5, 5, 6, 6, 6];
    const others = [
      [1, 1, 4, 4, 5, 5, 6, 6],
      [1, 1, 4],
      [1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      [1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      [1, 1, 4, 4, 4, 4],
      [1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    for (const log of others) {
      const leader = new Solo({ id: 1, terms: leaderLog, term: 8 });
      const follower = new Solo({ id: 2, terms: log, term: 8 });
      let toFollower = only(leader.lead(), 'appendEntries').filter((message) => message.to === 2);
      let exchanges = 0;
      while (toFollower.length > 0) {
        const answers = toFollower.flatMap((message) => follower.receive(message));
        toFollower = answers
          .flatMap((message) => leader.receive(message))
          .filter((message) => message.type === 'appendEntries')
          .filter((message) => message.to === 2);
        exchanges += 1;
      }
      expect(follower.logTerms).toEqual([1, ...leaderLog, 9]);
      expect(exchanges).toBeLessThanOrEqual(6);
    }
  });

  test('a leader never overwrites or deletes entries in its log', () => {
    const solo = new Solo({ terms: [1, 1] });
    solo.lead();
    expect(() => solo.receive(append(solo, { from: 2, term: 2, previous: [1, 1], terms: [2] }))).toThrow(
      'two leaders in term 2',
    );
  });
});

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
  expect(cluster.until(() => first.state.commands.length === 2, 100)).toBe(true);
  expect(first.state.commands).toEqual(['one', 'two']);
});
