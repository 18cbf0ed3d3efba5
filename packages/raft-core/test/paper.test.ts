import { describe, expect, test } from 'vitest';
import { logIndex } from '../src/ids.ts';
import { append, bytes, logIdAt, one, only, requestVote, Solo } from './solo.ts';

/* The Raft paper up to §5.3, a test per sentence; §5.4 and on are in paper-safety.test.ts. */

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
