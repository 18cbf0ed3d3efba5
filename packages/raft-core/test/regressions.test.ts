import { describe, expect, test } from 'vitest';
import { logIndex, nodeId, term } from '../src/ids.ts';
import { Cluster } from './cluster.ts';
import { append, bytes, logIdAt, one, only, requestVote, Solo } from './solo.ts';

/* One test per bug that another implementation had, or this one: votes, commits, elections. More in regressions-*.test.ts. */

describe('votes', () => {
  test('an append does not make a server forget its vote of the term', () => {
    const solo = new Solo({ voters: [1, 2, 3, 4, 5] });
    const ask = (from: number) => ({
      type: 'requestVote' as const,
      ...solo.envelope(from, 5),
      lastLog: logIdAt(4, 9),
      transfer: false,
    });
    expect(one(solo.receive(ask(2)), 'requestVoteResponse').granted).toBe(true);
    solo.receive(append(solo, { from: 2, term: 5, previous: [1, 1], terms: [5] }));
    expect(one(solo.receive(ask(3)), 'requestVoteResponse').granted).toBe(false);
    expect(solo.disk.hardState.votedFor).toBe(2);
  });

  test('a candidate counts its own vote only once that is on disk', () => {
    const solo = new Solo({ voters: [1] });
    solo.act((raft) => raft.tick());
    expect(solo.status.role).toBe('candidate');
    const ready = solo.act((raft) => raft.ready());
    expect(ready).toMatchObject({ mustSync: true, hardState: { term: 2, votedFor: 1 } });
    expect(solo.status.role).toBe('candidate');
    solo.finish(ready);
    expect(solo.status.role).toBe('leader');
  });

  test('the Ready before the vote does not count it', () => {
    const solo = new Solo({ voters: [1] });
    solo.act((raft) => raft.readIndex(1));
    const earlier = solo.act((raft) => raft.ready());
    solo.act((raft) => raft.tick());
    solo.finish(earlier);
    expect(solo.status).toMatchObject({ role: 'candidate', term: 2 });
    expect(solo.disk.hardState.term).toBe(1);
    solo.run();
    expect(solo.status.role).toBe('leader');
  });

  test('a vote survives a restart', () => {
    const before = new Solo();
    const ask = { type: 'requestVote' as const, lastLog: logIdAt(4, 9), transfer: false };
    before.receive({ ...ask, ...before.envelope(2, 5) });
    const { term: at, votedFor } = before.disk.hardState;
    const after = new Solo({ term: at, votedFor });
    expect(one(after.receive({ ...ask, ...after.envelope(3, 5) }), 'requestVoteResponse').granted).toBe(
      false,
    );
  });

  test('the one who has the vote is told so again, and holds up no other election by asking', () => {
    const solo = new Solo({ config: { electionTimeoutTicks: 10, random: () => 0.5 } });
    expect(one(requestVote(solo, 2, 5, [4, 9]), 'requestVoteResponse').granted).toBe(true);
    solo.tick(14);
    expect(one(requestVote(solo, 2, 5, [4, 9]), 'requestVoteResponse').granted).toBe(true);
    expect(only(solo.tick(1), 'requestPreVote')).toHaveLength(2);
  });

  test('a transfer overrides the hearing of a leader, not the comparison of logs (thesis §3.10)', () => {
    const solo = new Solo({ terms: [2, 2], term: 2 });
    solo.receive(append(solo, { from: 3, term: 2, previous: [2, 3] }));
    expect(one(requestVote(solo, 2, 3, [2, 2], true), 'requestVoteResponse').granted).toBe(false);
    expect(one(requestVote(solo, 3, 3, [2, 3], true), 'requestVoteResponse').granted).toBe(true);
  });

  test('a vote given in a term that was on disk already is written and synced too (liferaft, NATS)', () => {
    const solo = new Solo({ term: 5, terms: [2] });
    solo.act((raft) =>
      raft.step({ type: 'requestVote', ...solo.envelope(2, 5), lastLog: logIdAt(4, 9), transfer: false }),
    );
    const ready = solo.act((raft) => raft.ready());
    expect(ready).toMatchObject({ mustSync: true, hardState: { term: 5, votedFor: 2 } });
  });

  test('a server with an empty log grants neither votes nor pre-votes', () => {
    const cluster = new Cluster({ seed: 1, voters: 1, standbys: 1 });
    const standby = cluster.node(2);
    const ask = { from: nodeId(1), to: nodeId(2), term: term(5), lastLog: logIdAt(4, 9) };
    cluster.input(standby, (raft) => raft.step({ type: 'requestPreVote', ...ask }));
    cluster.input(standby, (raft) => raft.step({ type: 'requestVote', ...ask, transfer: true }));
    const { messages } = cluster.raft(2).ready();
    expect(messages).toMatchObject([{ granted: false }, { granted: false }]);
  });
});

describe('the commit index', () => {
  test('an append without entries commits no further than the entry it names', () => {
    const solo = new Solo({ terms: [1, 2, 2] });
    solo.receive(append(solo, { from: 2, term: 3, previous: [1, 2], committed: 9 }));
    expect(solo.status.committed).toBe(2);
    expect(solo.applied.map((entry) => entry.index)).toEqual([2]);
  });

  test('a heartbeat carries no more than the receiver is known to match', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    solo.act((raft) => raft.propose(bytes('x')));
    solo.run();
    solo.accept(2, 3);
    const heartbeats = only(solo.tick(1), 'heartbeat');
    expect(heartbeats.map(({ to, committed }) => [to, committed])).toEqual([
      [2, 3],
      [3, 2],
    ]);
  });

  test('a heartbeat beyond the log of a server that lost its disk does not stop it', () => {
    const solo = new Solo();
    solo.receive({ type: 'heartbeat', ...solo.envelope(2, 2), committed: logIndex(50), round: 1 });
    expect(solo.status.committed).toBe(1);
  });

  test('the leader counts itself only after its own disk has answered', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    solo.act((raft) => raft.propose(bytes('x')));
    const ready = solo.act((raft) => raft.ready());
    expect(only(ready.early, 'appendEntries')).toHaveLength(2);
    const accepted = { type: 'accepted' as const, matched: logIndex(3) };
    solo.act((raft) =>
      raft.step({ type: 'appendEntriesResponse', ...solo.envelope(2), result: accepted, round: 0 }),
    );
    expect(solo.status.committed).toBe(2);
    solo.finish(ready);
    expect(solo.status.committed).toBe(3);
  });

  test('a single server acknowledges nothing before its disk has answered (etcd 14370)', () => {
    const solo = new Solo({ voters: [1] });
    solo.tick(1);
    solo.act((raft) => raft.propose(bytes('x')));
    const ready = solo.act((raft) => raft.ready());
    expect(ready.committed).toEqual([]);
    solo.finish(ready);
    expect(solo.act((raft) => raft.ready()).committed.map((entry) => entry.index)).toEqual([3]);
  });

  test('acknowledgements of any order and repetition commit what a majority has (openraft 1802)', () => {
    const solo = new Solo({ voters: [1, 2, 3, 4, 5] });
    solo.leadAndCommit();
    for (let i = 0; i < 5; i += 1) solo.act((raft) => raft.propose(bytes('x')));
    solo.run();
    for (const [from, matched, committed] of [
      [2, 7, 2],
      [2, 3, 2],
      [3, 4, 4],
      [4, 6, 6],
      [3, 2, 6],
      [5, 5, 6],
      [3, 7, 7],
    ] as const) {
      solo.accept(from, matched);
      expect(solo.status.committed).toBe(committed);
    }
  });

  test('a write counts for what was in it, not for what was appended meanwhile (openraft, hiqlite 361)', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    solo.act((raft) => raft.propose(bytes('written')));
    const ready = solo.act((raft) => raft.ready());
    solo.act((raft) => raft.propose(bytes('waits')));
    solo.finish(ready);
    expect(solo.status).toMatchObject({ persisted: 3, lastLog: { index: 4 } });
    const accepted = { type: 'accepted' as const, matched: logIndex(4) };
    solo.act((raft) => raft.ready());
    solo.act((raft) =>
      raft.step({ type: 'appendEntriesResponse', ...solo.envelope(2), result: accepted, round: 0 }),
    );
    expect(solo.status.committed).toBe(3);
  });

  test('a log that is shorter than what was committed starts no server (nexus 3939, curvine 532)', () => {
    expect(() => new Solo({ terms: [1], committed: 9 })).toThrow('what was committed is still in the log');
  });

  test('an acknowledgement of an earlier term is not counted', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    solo.act((raft) => raft.propose(bytes('x')));
    solo.run();
    const accepted = { type: 'accepted' as const, matched: logIndex(3) };
    solo.receive({ type: 'appendEntriesResponse', ...solo.envelope(2, 1), result: accepted, round: 0 });
    expect(solo.status).toMatchObject({ role: 'leader', committed: 2 });
  });
});

describe('elections', () => {
  test.each([
    ['an append of an old term', (solo: Solo) => append(solo, { from: 2, term: 2, previous: [1, 1] })],
    [
      'a refused vote',
      (solo: Solo) => ({
        type: 'requestVote' as const,
        ...solo.envelope(2, 9),
        lastLog: logIdAt(1, 1),
        transfer: false,
      }),
    ],
    [
      'a pre-vote',
      (solo: Solo) => ({ type: 'requestPreVote' as const, ...solo.envelope(2, 9), lastLog: logIdAt(9, 9) }),
    ],
  ])('%s does not hold up an election', (_, message) => {
    const solo = new Solo({ terms: [3], config: { electionTimeoutTicks: 10, random: () => 0.5 } });
    solo.tick(14);
    solo.receive(message(solo));
    expect(only(solo.tick(1), 'requestPreVote')).toHaveLength(2);
  });

  test('a refused pre-vote tells a later term, which is taken over (openraft)', () => {
    const solo = new Solo({ term: 3 });
    solo.act((raft) => raft.campaign());
    solo.run();
    solo.receive({ type: 'requestPreVoteResponse', ...solo.envelope(2, 7), granted: false });
    expect(solo.status).toMatchObject({ role: 'follower', term: 7, votedFor: null });
  });

  test('a refusal for the log does not raise the term of the one who asked', () => {
    const voter = new Solo({ terms: [2, 2], term: 2 });
    const asked = { type: 'requestPreVote' as const, ...voter.envelope(2, 6), lastLog: logIdAt(1, 1) };
    expect(one(voter.receive(asked), 'requestPreVoteResponse')).toMatchObject({ granted: false, term: 5 });
    expect(voter.status.term).toBe(2);
  });

  test('a late refusal takes no vote back', () => {
    const solo = new Solo({ voters: [1, 2, 3, 4, 5] });
    solo.act((raft) => raft.campaign());
    solo.run();
    for (const from of [2, 3]) {
      solo.receive({ type: 'requestPreVoteResponse', ...solo.envelope(from, 2), granted: true });
    }
    for (const [from, granted] of [
      [2, true],
      [2, false],
      [3, true],
    ] as const) {
      solo.receive({ type: 'requestVoteResponse', ...solo.envelope(from), granted });
    }
    expect(solo.status.role).toBe('leader');
  });

  test('a pre-vote granted for an earlier campaign counts no more', () => {
    const solo = new Solo({ voters: [1, 2, 3], term: 3 });
    solo.act((raft) => raft.campaign());
    solo.run();
    solo.receive({ type: 'requestPreVoteResponse', ...solo.envelope(2, 9), granted: false });
    solo.act((raft) => raft.campaign());
    solo.run();
    solo.receive({ type: 'requestPreVoteResponse', ...solo.envelope(2, 4), granted: true });
    expect(solo.status).toMatchObject({ role: 'preCandidate', term: 9 });
  });

  test('pre-votes that arrive after winning change nothing (openraft)', () => {
    const solo = new Solo();
    solo.lead();
    const before = solo.status;
    solo.receive({ type: 'requestPreVoteResponse', ...solo.envelope(3, before.term), granted: true });
    solo.receive({ type: 'requestPreVoteResponse', ...solo.envelope(3, before.term + 1), granted: true });
    expect(solo.status).toMatchObject({ role: 'leader', term: before.term });
  });

  test('a leader ignores being told to campaign (openraft)', () => {
    const solo = new Solo();
    solo.lead();
    solo.act((raft) => raft.campaign());
    solo.receive({ type: 'timeoutNow', ...solo.envelope(2) });
    expect(solo.run()).toEqual([]);
    expect(solo.status).toMatchObject({ role: 'leader', term: 2 });
  });

  test('a cut-off server raises no terms and disturbs nobody when it returns', () => {
    const cluster = new Cluster({ seed: 3, voters: 3 });
    cluster.until(() => cluster.leader() !== undefined, 60);
    cluster.settle();
    const leader = cluster.leader();
    const cut = cluster.nodes.find((node) => node !== leader);
    if (leader === undefined || cut === undefined) throw new Error('there is a leader and a follower');
    const { term: at } = cluster.raft(leader.id).status();
    cluster.partition(
      [cut.id],
      [1, 2, 3].filter((id) => id !== cut.id),
    );
    cluster.until(() => false, 200);
    cluster.blocked.clear();
    cluster.until(() => false, 50);
    for (const node of cluster.nodes)
      expect(node.raft?.status()).toMatchObject({ term: at, leader: leader.id });
  });

  test('a leader that no quorum answers steps down', () => {
    const solo = new Solo({ config: { electionTimeoutTicks: 10 } });
    solo.leadAndCommit();
    solo.tick(10);
    expect(solo.status.role).toBe('leader');
    solo.tick(10);
    expect(solo.status).toMatchObject({ role: 'follower', leader: null, term: 2 });
  });

  test('a leader is deposed by the answer of a server that is in a later term', () => {
    const server = new Solo({ id: 2, term: 7 });
    const leader = new Solo({ term: 3 });
    leader.lead();
    const heartbeat = only(leader.tick(1), 'heartbeat').find((message) => message.to === 2);
    if (heartbeat === undefined) throw new Error('server 2 gets a heartbeat');
    for (const answer of server.receive(heartbeat)) leader.receive(answer);
    expect(leader.status).toMatchObject({ role: 'follower', term: 7 });
  });
});
