import { describe, expect, test } from 'vitest';
import { logIndex, nodeId } from '../src/ids.ts';
import { membershipOf } from './cluster.ts';
import { logIdAt, one, only, Solo } from './solo.ts';

/* Snapshots, seen from both sides; those that others got wrong name whose bug it was. */

describe('snapshots', () => {
  function compactedLeader(): Solo {
    const solo = new Solo({ terms: [1, 1, 1], committed: 4 });
    solo.leadAndCommit();
    const to = solo.status.lastLog;
    solo.disk.compact(to);
    solo.act((raft) => raft.compacted(to));
    return solo;
  }

  test('a follower behind a log that is gone entirely gets a snapshot (openraft 1828)', () => {
    const solo = compactedLeader();
    const added = solo.act((raft) =>
      raft.proposeMembership({ type: 'addLearner', node: nodeId(4), record: { addr: 'd:1' } }),
    );
    expect(added.type).toBe('appended');
    const probe = only(solo.run(), 'appendEntries').find((message) => message.to === 4);
    expect(probe?.previous.index).toBe(6);
    const sent = solo.respond(4, { type: 'rejected', rejected: logIndex(6), hint: logIdAt(0, 0) });
    const { snapshot } = one(sent, 'installSnapshot');
    expect(snapshot).toMatchObject({ last: { index: 5 }, membershipLogId: { index: 1 } });
    expect(solo.status.peers.get(nodeId(4))?.state).toBe('snapshot');
  });

  test.each(['sent', 'failed'] as const)('a peer goes on after a snapshot that was %s', (result) => {
    const solo = compactedLeader();
    solo.act((raft) =>
      raft.proposeMembership({ type: 'addLearner', node: nodeId(4), record: { addr: 'd:1' } }),
    );
    solo.run();
    solo.respond(4, { type: 'rejected', rejected: logIndex(6), hint: logIdAt(0, 0) });
    solo.act((raft) => raft.reportSnapshot(nodeId(4), result));
    expect(solo.run()).toEqual([]);
    const sent = solo.contact(4, 0);
    if (result === 'failed') {
      expect(only(sent, 'installSnapshot')).toHaveLength(1);
    } else {
      expect(one(sent, 'appendEntries').previous.index).toBe(5);
      solo.accept(4, 6);
      expect(solo.status.peers.get(nodeId(4))).toMatchObject({ matched: 6, state: 'replicate' });
    }
  });

  test('the membership of an installed snapshot is the one in effect (openraft)', () => {
    const solo = new Solo({ terms: [2, 2], committed: 1 });
    const membership = membershipOf([4, 5].map(nodeId), [nodeId(1)]);
    const snapshot = { last: logIdAt(3, 9), membership, membershipLogId: logIdAt(2, 6) };
    solo.receive({ type: 'installSnapshot', ...solo.envelope(4, 3), snapshot, round: 0 });
    expect(solo.status).toMatchObject({
      role: 'learner',
      membership: { logId: { index: 6 }, membership },
      committedMembership: { logId: { index: 6 } },
    });
  });

  test('a snapshot of what is committed here is acknowledged and not installed', () => {
    const solo = new Solo({ terms: [2, 2], committed: 3 });
    const { membership } = solo.status.membership;
    const snapshot = { last: logIdAt(2, 2), membership, membershipLogId: logIdAt(1, 1) };
    solo.act((raft) => raft.step({ type: 'installSnapshot', ...solo.envelope(2, 3), snapshot, round: 0 }));
    const ready = solo.act((raft) => raft.ready());
    expect(ready.snapshot).toBeNull();
    expect(one(ready.messages, 'appendEntriesResponse').result).toEqual({ type: 'accepted', matched: 3 });
  });

  test('a snapshot that contradicts what is committed here stops the server (openraft 1892)', () => {
    const solo = new Solo({ terms: [2, 2], committed: 3 });
    const { membership } = solo.status.membership;
    const snapshot = { last: logIdAt(3, 3), membership, membershipLogId: logIdAt(1, 1) };
    expect(() =>
      solo.act((raft) => raft.step({ type: 'installSnapshot', ...solo.envelope(2, 3), snapshot, round: 0 })),
    ).toThrow('agrees with what is committed');
  });
});
