import { describe, expect, test, vi } from 'vitest';
import { DEFAULT_RAFT_LIMITS } from '../src/config.ts';
import type { Entry } from '../src/entry.ts';
import { type LogIndex, logIndex, nodeId, term, ZERO_LOG_ID } from '../src/ids.ts';
import type { LogReader } from '../src/log-reader.ts';
import type { AppendResult, Message } from '../src/message.ts';
import { Raft } from '../src/raft.ts';
import { membershipOf } from './cluster.ts';
import { append, bytes, commandAt, logIdAt, only, Solo } from './solo.ts';

/*
 * What things cost, counted instead of timed: messages, entries sent, looks into the log on disk, entries weighed.
 */

const VOTERS = [1, 2, 3, 4, 5];
const LEARNERS = Array.from({ length: 50 }, (_, i) => i + 6);
const PEERS = [...VOTERS.slice(1), ...LEARNERS];

const propose = (solo: Solo, data: Uint8Array = bytes('x')) => solo.act((raft) => raft.propose(data));

/** A leader of 5 voters and 50 learners that all have everything and know it to be committed. */
function leaderOfMany(): Solo {
  const solo = new Solo({ voters: VOTERS, learners: LEARNERS });
  solo.leadAndCommit();
  acceptAll(solo);
  return solo;
}

function acceptAll(solo: Solo): Message[] {
  return PEERS.flatMap((peer) => solo.accept(peer, solo.status.lastLog.index));
}

/** Counts the looks into a node's log on disk from now on. */
function countLooks(disk: LogReader): { readonly logIds: () => number; readonly entries: () => number } {
  const logId = vi.spyOn(disk, 'logId');
  const entries = vi.spyOn(disk, 'entries');
  return { logIds: () => logId.mock.calls.length, entries: () => entries.mock.calls.length };
}

describe('5 voters and 50 learners', () => {
  test('an entry is sent to each peer once, and so is its commit', () => {
    const solo = leaderOfMany();
    propose(solo);
    const appends = only(solo.run(), 'appendEntries');
    expect(appends.map(({ to, entries }) => [to, entries.length])).toEqual(PEERS.map((peer) => [peer, 1]));
    const told = acceptAll(solo);
    expect(only(told, 'appendEntries').map(({ to, entries }) => [to, entries.length])).toEqual(
      PEERS.map((peer) => [peer, 0]),
    );
    expect(told).toHaveLength(PEERS.length);
  });

  test('under steady load the commit travels with the next entries: one message per peer and turn', () => {
    const solo = leaderOfMany();
    const turns = 20;
    let sent: Message[] = [];
    for (let turn = 0; turn < turns; turn += 1) {
      // The answers to the turn before come in first, and the driver makes one Ready of it all.
      for (const peer of turn === 0 ? [] : PEERS) stepAccept(solo, peer);
      for (let i = 0; i < 10; i += 1) propose(solo);
      sent = [...sent, ...solo.run()];
    }
    expect(sent).toHaveLength(turns * PEERS.length);
    expect(only(sent, 'appendEntries').reduce((count, { entries }) => count + entries.length, 0)).toBe(
      turns * 10 * PEERS.length,
    );
  });

  test('peers that are equally far share one array of entries', () => {
    const solo = leaderOfMany();
    for (let i = 0; i < 100; i += 1) propose(solo);
    const appends = only(solo.run(), 'appendEntries');
    expect(appends).toHaveLength(PEERS.length);
    expect(new Set(appends.map(({ entries }) => entries)).size).toBe(1);
  });

  test('learners that begin together are read for together', () => {
    const solo = new Solo({
      voters: VOTERS,
      learners: LEARNERS,
      terms: Array.from({ length: 500 }, () => 1),
    });
    solo.leadAndCommit();
    const looks = countLooks(solo.disk);
    for (const learner of LEARNERS) {
      const rejected = { type: 'rejected', rejected: logIndex(501), hint: logIdAt(1, 1) } as const;
      solo.act((raft) =>
        raft.step({ type: 'appendEntriesResponse', ...solo.envelope(learner), result: rejected, round: 0 }),
      );
    }
    const appends = only(solo.run(), 'appendEntries');
    expect(appends.map(({ to }) => to)).toEqual(LEARNERS);
    expect(looks.entries()).toBe(1);
  });

  test('reads of a turn share one round, which asks the voters only', () => {
    const solo = leaderOfMany();
    for (let id = 0; id < 1000; id += 1) solo.act((raft) => raft.readIndex(id));
    const round = only(solo.run(), 'heartbeat');
    expect(round.map(({ to }) => to)).toEqual(VOTERS.slice(1));
    for (const { to, round: asked } of round.slice(0, 2)) solo.contact(to, asked);
    expect(solo.reads).toHaveLength(1000);
  });

  test('a quiet cluster costs one heartbeat per peer and tick', () => {
    const solo = leaderOfMany();
    const sent = solo.tick(3);
    expect(sent).toHaveLength(3 * PEERS.length);
    expect(only(sent, 'heartbeat')).toHaveLength(3 * PEERS.length);
  });
});

function stepAccept(solo: Solo, peer: number): void {
  const result = { type: 'accepted', matched: solo.status.lastLog.index } as const;
  solo.act((raft) => raft.step({ type: 'appendEntriesResponse', ...solo.envelope(peer), result, round: 0 }));
}

describe('the log on disk', () => {
  test('is not looked into by a leader whose followers are up to date', () => {
    const solo = leaderOfMany();
    const looks = countLooks(solo.disk);
    for (let i = 0; i < 200; i += 1) {
      propose(solo);
      solo.run();
      acceptAll(solo);
    }
    expect(solo.applied).toHaveLength(201);
    expect([looks.logIds(), looks.entries()]).toEqual([0, 0]);
  });

  test('nor by a follower that is up to date, not even for an append that comes twice', () => {
    const solo = new Solo({ id: 2 });
    solo.receive(append(solo, { from: 1, term: 2, previous: [1, 1], terms: [2] }));
    const looks = countLooks(solo.disk);
    for (let index = 2; index <= 200; index += 1) {
      const next = { from: 1, term: 2, previous: [2, index], terms: [2], committed: index } as const;
      solo.receive(append(solo, next));
      solo.receive(append(solo, next));
    }
    expect(solo.applied).toHaveLength(199);
    expect([looks.logIds(), looks.entries()]).toEqual([0, 0]);
  });
});

describe('a divergent suffix of 10,000 entries', () => {
  const LENGTH = 10_000;
  const inTerms = (terms: readonly number[]) =>
    Array.from({ length: LENGTH }, (_, i) => terms[Math.floor((i * terms.length) / LENGTH)] ?? 0);

  test.each([
    { name: 'one term each', leader: [3], follower: [2], rounds: 1 },
    { name: 'one term against ten', leader: [12], follower: [2, 3, 4, 5, 6, 7, 8, 9, 10, 11], rounds: 1 },
    { name: 'ten terms against one', leader: [3, 4, 5, 6, 7, 8, 9, 10, 11, 12], follower: [2], rounds: 1 },
    { name: 'terms in turns', leader: [2, 4, 6, 8, 10], follower: [3, 5, 7, 9, 11], rounds: 5 },
  ])('is backed over by term, with few looks into the log: $name', ({ leader, follower, rounds }) => {
    const ahead = new Solo({ terms: inTerms(leader), term: 20 });
    const behind = new Solo({ id: 2, terms: inTerms(follower), term: 20 });
    const looks = [countLooks(ahead.disk), countLooks(behind.disk)];
    const { rejections, matched } = repair(ahead, behind, ahead.lead());
    expect(matched).toBe(LENGTH + 2);
    expect(rejections).toBeLessThanOrEqual(rounds);
    const perRound = 2 * Math.ceil(Math.log2(LENGTH)) + 4;
    expect(looks.reduce((count, { logIds }) => count + logIds(), 0)).toBeLessThanOrEqual(
      (rejections + 1) * perRound,
    );
  });
});

/** Passes messages between a leader and one follower until it has everything. */
function repair(leader: Solo, follower: Solo, sent: readonly Message[]) {
  let rejections = 0;
  let inbox = sent;
  while (inbox.length > 0) {
    const answers = inbox.filter(({ to }) => to === 2).flatMap((message) => follower.receive(message));
    rejections += only(answers, 'appendEntriesResponse').filter(
      ({ result }) => result.type === 'rejected',
    ).length;
    inbox = answers.flatMap((message) => leader.receive(message));
  }
  return { rejections, matched: leader.status.peers.get(nodeId(2))?.matched };
}

/** A command that counts how often it is weighed. */
class Weighed extends Uint8Array {
  static times = 0;
  override get byteLength(): number {
    Weighed.times += 1;
    return super.byteLength;
  }
}

describe('many entries in flight', () => {
  /** All proposed at once, sent a few at a time, confirmed one by one: how often commands were weighed. */
  function weighings(entries: number): number {
    Weighed.times = 0;
    const solo = new Solo({ config: { maxAppendBytes: 1000, maxInflightMessages: 64 } });
    solo.leadAndCommit();
    for (let i = 0; i < entries; i += 1) expect(propose(solo, new Weighed(10)).type).toBe('appended');
    solo.run();
    for (let matched = 3; matched <= entries + 2; matched += 1) {
      solo.accept(2, matched);
      solo.accept(3, matched);
    }
    expect(solo.applied).toHaveLength(entries + 1);
    return Weighed.times;
  }

  // When it is proposed, when it is appended, and once for each peer.
  test('each entry is weighed four times at most, however many there are', () => {
    expect(weighings(200) / 200).toBeLessThanOrEqual(4);
    expect(weighings(3200) / 3200).toBeLessThanOrEqual(4);
  });
});

test('any number of waiting reads is dropped at once', () => {
  const reads = 200_000;
  const solo = new Solo({ config: { maxPendingReads: reads } });
  solo.leadAndCommit();
  for (let id = 0; id < reads; id += 1) solo.raft.readIndex(id);
  solo.act((raft) =>
    raft.step({ type: 'heartbeat', ...solo.envelope(2, 9), committed: logIndex(0), round: 1 }),
  );
  expect(solo.raft.ready().droppedReads).toHaveLength(reads);
});

/** A log of one term, of any length, that needs no memory; it counts what it is asked for. */
class EndlessLog implements LogReader {
  lookedUp = 0;
  read = 0;

  entries({ from, to }: { from: LogIndex; to: LogIndex; maxBytes: number }): readonly Entry[] {
    const entries = Array.from({ length: Math.min(to - from, 100) }, (_, i) => commandAt(1, from + i));
    this.read += entries.length;
    return entries;
  }

  logId(index: LogIndex) {
    this.lookedUp += 1;
    return logIdAt(1, index);
  }
}

describe('a log of a million entries', () => {
  const FEW = 1000;
  const MANY = 1_000_000;

  test('makes neither an election nor a proposal dearer', () => {
    const cost = (length: number) => {
      const { raft, disk, run, accept } = leaderWithLog(length);
      const sent: Message[] = [];
      for (let i = 1; i <= 100; i += 1) {
        raft.propose(bytes('x'));
        sent.push(...run());
        for (const peer of [2, 3]) sent.push(...accept(peer, length + 1 + i));
      }
      expect(raft.status().committed).toBe(length + 101);
      return { messages: sent.length, lookedUp: disk.lookedUp, read: disk.read };
    };
    expect(cost(MANY)).toEqual(cost(FEW));
    // For each peer what lies before the entry that the leader begins with; nothing for the proposals.
    expect(cost(MANY)).toMatchObject({ lookedUp: 2, read: 0 });
  });

  test('is read for a follower only as far as that is behind, and searched by bisection', () => {
    const cost = (length: number) => {
      const { disk, respond, accept } = leaderWithLog(length);
      const behind = length - 500;
      const hint = logIdAt(1, behind);
      const [probe] = only(
        respond(2, { type: 'rejected', rejected: logIndex(length), hint }),
        'appendEntries',
      );
      expect(probe?.previous.index).toBe(behind);
      const { lookedUp } = disk;
      accept(2, behind + 100);
      return { read: disk.read, lookedUp };
    };
    expect(cost(MANY).read).toBe(cost(FEW).read);
    expect(cost(MANY).read).toBe(500);
    expect(cost(MANY).lookedUp).toBeLessThanOrEqual(cost(FEW).lookedUp + Math.log2(MANY / FEW) + 2);
  });
});

/** Node 1 leads 2 and 3; all of its log but the entry of its own term is committed, applied and on disk alone. */
function leaderWithLog(length: number) {
  const last = logIdAt(1, length);
  const disk = new EndlessLog();
  const raft = new Raft(
    { ...DEFAULT_RAFT_LIMITS, id: nodeId(1), random: () => 0.5 },
    {
      hardState: { term: last.term, votedFor: null, committed: last.index },
      compacted: ZERO_LOG_ID,
      lastLog: last,
      applied: last,
      memberships: [{ logId: logIdAt(1, 1), membership: membershipOf([1, 2, 3].map(nodeId)) }],
    },
    disk,
  );
  const run = () => {
    const sent: Message[] = [];
    while (raft.hasReady()) {
      const ready = raft.ready();
      sent.push(...ready.early, ...ready.messages);
      raft.advance(ready);
    }
    return sent;
  };
  const from = (peer: number) => ({ from: nodeId(peer), to: nodeId(1), term: term(2) });
  const respond = (peer: number, result: AppendResult) => {
    raft.step({ type: 'appendEntriesResponse', ...from(peer), result, round: 0 });
    return run();
  };
  const accept = (peer: number, matched: number) =>
    respond(peer, { type: 'accepted', matched: logIndex(matched) });
  raft.campaign();
  run();
  raft.step({ type: 'requestPreVoteResponse', ...from(2), granted: true });
  run();
  raft.step({ type: 'requestVoteResponse', ...from(2), granted: true });
  run();
  return { raft, disk, run, respond, accept };
}
