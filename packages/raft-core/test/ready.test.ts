import { describe, expect, test } from 'vitest';
import { nodeId } from '../src/ids.ts';
import { onDiskBefore } from '../src/ready.ts';
import { membershipOf } from './cluster.ts';
import { append, Solo } from './solo.ts';

/* The contract with the driver. */

describe('the driver', () => {
  test('advance takes the Ready that is out, and no other', () => {
    const solo = new Solo();
    solo.act((raft) => raft.campaign());
    const first = solo.act((raft) => raft.ready());
    expect(solo.raft.hasReady()).toBe(false);
    expect(() => solo.raft.ready()).toThrow('not advanced');
    solo.finish(first);
    expect(() => solo.raft.advance(first)).toThrow('handed out last');
  });

  test('entries that were truncated while they were written are written again', () => {
    const solo = new Solo();
    solo.act((raft) => raft.step(append(solo, { from: 2, term: 2, previous: [1, 1], terms: [2, 2, 2] })));
    const first = solo.act((raft) => raft.ready());
    solo.act((raft) => raft.step(append(solo, { from: 3, term: 3, previous: [2, 2], terms: [3] })));
    solo.finish(first);
    expect(solo.status).toMatchObject({ persisted: 2, lastLog: { term: 3, index: 3 } });
    solo.run();
    expect(solo.logTerms).toEqual([1, 2, 3]);
    expect(solo.status.persisted).toBe(3);
  });

  test('a commit index alone needs no sync', () => {
    const solo = new Solo({ terms: [1, 1] });
    solo.receive(append(solo, { from: 2, term: 2, previous: [1, 3] }));
    solo.act((raft) => raft.step(append(solo, { from: 2, term: 2, previous: [1, 3], committed: 2 })));
    const ready = solo.act((raft) => raft.ready());
    expect(ready).toMatchObject({ mustSync: false, hardState: { committed: 2 } });
  });

  test('committed entries come in bounded portions', () => {
    const solo = new Solo({ terms: [1, 1, 1, 1, 1], committed: 6, config: { maxCommittedBytes: 150 } });
    const portions: number[] = [];
    while (solo.raft.hasReady()) {
      const ready = solo.act((raft) => raft.ready());
      portions.push(ready.committed.length);
      solo.finish(ready);
    }
    expect(portions).toEqual([2, 2, 1]);
    expect(solo.status.applied).toBe(6);
  });

  test('what may be applied while the disk works is what an earlier Ready has put there', () => {
    const solo = new Solo();
    solo.receive(append(solo, { from: 2, term: 2, previous: [1, 1], terms: [2, 2] }));
    const next = append(solo, { from: 2, term: 2, previous: [2, 3], terms: [2, 2], committed: 4 });
    solo.act((raft) => raft.step(next));
    const ready = solo.act((raft) => raft.ready());
    expect(ready.entries.map(({ index }) => index)).toEqual([4, 5]);
    expect(ready.committed.map(({ index }) => index)).toEqual([2, 3, 4]);
    expect(onDiskBefore(ready).map(({ index }) => index)).toEqual([2, 3]);
    expect(onDiskBefore({ ...ready, entries: [] })).toEqual(ready.committed);
    const snapshot = {
      last: next.previous,
      membership: membershipOf([nodeId(1)]),
      membershipLogId: next.previous,
    };
    expect(onDiskBefore({ ...ready, snapshot })).toEqual([]);
  });

  test('an idle node has nothing to do', () => {
    const solo = new Solo();
    solo.leadAndCommit();
    expect(solo.raft.hasReady()).toBe(false);
    expect(solo.run()).toEqual([]);
  });
});

describe('settings', () => {
  test.each(['electionTimeoutTicks', 'maxAppendBytes', 'maxInflightMessages', 'maxTailBytes'] as const)(
    '%s must be a positive integer',
    (name) => {
      for (const value of [0, -1, 1.5, Number.NaN]) {
        expect(() => new Solo({ config: { [name]: value } })).toThrow(`${name} must be a positive integer`);
      }
    },
  );

  test('an election timeout outlasts heartbeats', () => {
    expect(() => new Solo({ config: { electionTimeoutTicks: 3, heartbeatTicks: 3 } })).toThrow('must exceed');
  });
});
