import { readFileSync, writeFileSync } from 'node:fs';
import { encodeCommand, StateDatabase } from '@metad/kv-store';
import { type NodeId, nodeId } from '@metad/raft-core';
import { afterEach, expect, test } from 'vitest';
import type { SnapshotFrame } from '../src/peers/snapshot-frame.ts';
import { type Member, NodeCluster } from './node-cluster.ts';
import { until } from './peer-harness.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

const SHORT_LOG = { logBytes: 2 ** 30, logEntries: 40, keepEntries: 5 };
const VALUE = 'v'.repeat(2000);

async function put(member: Member, path: string, value = VALUE): Promise<void> {
  const command = encodeCommand({ type: 'merge', tree: 'data', leaves: [[path, value]] });
  expect(await member.node.propose(command)).toMatchObject({ type: 'done' });
}

async function putMany(member: Member, count: number, name = 'many'): Promise<void> {
  for (let number = 0; number < count; number += 1) await put(member, `/${name}/${number % 100}`);
}

function other(leader: Member): Member {
  const found = cluster.members.find(({ id }) => id !== leader.id);
  if (!found) throw new Error('a cluster has more than one node');
  return found;
}

/** Cuts a follower off until the leader's log begins behind what it has. */
async function leaveBehind(leader: Member, follower: Member): Promise<void> {
  cluster.cut(follower.id);
  const { index } = follower.store.log.lastLog;
  await putMany(leader, 60);
  await until(async () => {
    await putMany(leader, 10);
    expect(leader.store.log.compacted.index).toBeGreaterThan(index);
  });
}

async function agree(one: Member, another: Member): Promise<void> {
  await until(() => {
    expect(another.store.state.applied).toEqual(one.store.state.applied);
    expect(another.store.state.digest).toBe(one.store.state.digest);
  });
  expect(one.faults.concat(another.faults)).toEqual([]);
}

function framesTo(node: NodeId): SnapshotFrame[] {
  return cluster.wires.log.filter(({ way }) => way.to === node).map(({ frame }) => frame);
}

function chunksTo(node: NodeId) {
  return framesTo(node).filter((frame) => frame.type === 'chunk');
}

test('a follower that needs what is gone gets a snapshot, and goes on from there', async () => {
  cluster = new NodeCluster(3, { settings: SHORT_LOG });
  const leader = await cluster.leader();
  const follower = other(leader);
  await leaveBehind(leader, follower);
  const files: (string | undefined)[] = [];
  follower.node.onApplied(({ stateFile }) => files.push(stateFile));
  cluster.heal();
  await agree(leader, follower);
  expect(files.filter((file) => file !== undefined)).toEqual([follower.store.stateFile]);
  await put(leader, '/after', 'x');
  await agree(leader, follower);
  const state = StateDatabase.open(follower.store.stateFile);
  expect(state.read((view) => view.value('data', '/after'))).toBe('x');
  state.close();
});

test('a connection that breaks in the middle: the same snapshot goes on where it was', async () => {
  let left = 8;
  cluster = new NodeCluster(3, {
    settings: SHORT_LOG,
    limits: { chunkBytes: 4096, maxWindowBytes: 4096 },
    tamper: (frame, { to }) => {
      if (frame.type === 'chunk') left -= 1;
      if (left !== 0) return frame;
      left -= 1;
      cluster.wires.cut(to);
      return null;
    },
  });
  const leader = await cluster.leader();
  const follower = other(leader);
  await leaveBehind(leader, follower);
  cluster.heal();
  await agree(leader, follower);
  const offers = framesTo(follower.id).filter((frame) => frame.type === 'offer');
  expect(offers.length).toBeGreaterThan(1);
  const [first, second] = offers;
  expect(second?.checksum).toBe(first?.checksum);
  const offsets = chunksTo(follower.id).map(({ offset }) => offset);
  // Nothing that had arrived travelled twice.
  expect(offsets).toEqual([...new Set(offsets)]);
});

test('bytes that are damaged on the way are noticed, and sent again', async () => {
  let damaged = 0;
  cluster = new NodeCluster(3, {
    settings: SHORT_LOG,
    tamper: (frame) => {
      if (frame.type !== 'chunk' || damaged > 0) return frame;
      damaged += 1;
      const bytes = Uint8Array.from(frame.bytes);
      bytes[5000] = (bytes[5000] ?? 0) ^ 1;
      return { ...frame, bytes };
    },
  });
  const leader = await cluster.leader();
  const follower = other(leader);
  await leaveBehind(leader, follower);
  cluster.heal();
  await agree(leader, follower);
  expect(framesTo(leader.id)).toContainEqual(expect.objectContaining({ type: 'refused' }));
});

test('a snapshot that was damaged after it was verified is taken again once a peer refuses it', async () => {
  cluster = new NodeCluster(3, { settings: SHORT_LOG });
  const leader = await cluster.leader();
  const follower = other(leader);
  await leaveBehind(leader, follower);
  await leader.store.takeSnapshot();
  const verified = await leader.store.snapshots.openNewest();
  await verified?.close();
  const file = leader.store.snapshots.newest?.file ?? '';
  const bytes = readFileSync(file);
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  cluster.heal();
  await agree(leader, follower);
  expect(framesTo(leader.id)).toContainEqual(expect.objectContaining({ type: 'refused' }));
});

test('a snapshot that a node has no room for is refused with the reason, and the node goes on', async () => {
  cluster = new NodeCluster(3, { settings: SHORT_LOG, limits: { reserveBytes: Number.MAX_SAFE_INTEGER } });
  const leader = await cluster.leader();
  const follower = other(leader);
  await leaveBehind(leader, follower);
  cluster.heal();
  await until(() =>
    expect(framesTo(leader.id).filter(({ type }) => type === 'refused').length).toBeGreaterThan(2),
  );
  const [refusal] = framesTo(leader.id).filter((frame) => frame.type === 'refused');
  expect(refusal?.reason).toContain('are free: make room there');
  expect(chunksTo(follower.id)).toEqual([]);
  expect(follower.node.isStopped).toBe(false);
  await put(leader, '/goes-on');
});

test('a peer that says nothing for too long is given up, and tried again', async () => {
  let deaf = true;
  cluster = new NodeCluster(3, {
    settings: SHORT_LOG,
    limits: { stallMs: 30 },
    tamper: (frame) => (deaf && frame.type === 'progress' ? null : frame),
  });
  const leader = await cluster.leader();
  const follower = other(leader);
  await leaveBehind(leader, follower);
  cluster.heal();
  await until(() => {
    expect(framesTo(follower.id).filter(({ type }) => type === 'offer').length).toBeGreaterThan(2);
  });
  deaf = false;
  await agree(leader, follower);
});

test('the log that a snapshot needs behind it is kept while it travels: one is enough, whatever is written', async () => {
  // More than may be in the log, for each snapshot.
  let writeOnChunk: (() => void) | null = null;
  cluster = new NodeCluster(3, {
    settings: { logBytes: 2 ** 30, logEntries: 100, keepEntries: 5 },
    limits: { chunkBytes: 1024, maxWindowBytes: 1024 },
    tamper: (frame) => {
      if (frame.type === 'chunk') writeOnChunk?.();
      return frame;
    },
  });
  const leader = await cluster.leader();
  const follower = other(leader);
  await leaveBehind(leader, follower);
  const writes: Promise<void>[] = [];
  writeOnChunk = () => writes.push(put(leader, `/under/${writes.length % 50}`, 'x'));
  cluster.heal();
  await agree(leader, follower);
  await Promise.all(writes);
  expect(writes.length).toBeGreaterThan(150);
  expect(framesTo(follower.id).filter(({ type }) => type === 'offer')).toHaveLength(1);
});

test('one snapshot is taken for all who want one at once', async () => {
  cluster = new NodeCluster(1);
  const leader = await cluster.leader();
  await putMany(leader, 20);
  const taken = await Promise.all([1, 2, 3].map(() => leader.snapshots.take()));
  expect(new Set(taken.map(({ checksum }) => checksum)).size).toBe(1);
  expect(taken[0]?.meta.last).toEqual(leader.store.state.applied);
  await put(leader, '/more');
  expect((await leader.snapshots.take()).meta.last).toEqual(leader.store.state.applied);
});

test('the log is compacted to its tail, and what was dropped is removed', async () => {
  cluster = new NodeCluster(1, { settings: SHORT_LOG });
  const leader = await cluster.leader();
  await putMany(leader, 500);
  await until(() => expect(leader.store.log.size().entries).toBeLessThanOrEqual(SHORT_LOG.logEntries));
  await until(() => expect(leader.store.log.size().bytes).toBeLessThan(60 * VALUE.length));
  const { compacted, lastLog } = leader.store.log;
  expect(lastLog.index - compacted.index).toBeGreaterThanOrEqual(SHORT_LOG.keepEntries);
});

test('a follower that only lags is waited for: it gets the log and no snapshot', async () => {
  cluster = new NodeCluster(2, { settings: { ...SHORT_LOG, keepEntries: 0 } });
  const leader = await cluster.leader();
  await putMany(leader, 300);
  const [follower] = cluster.members.filter(({ id }) => id !== leader.id);
  if (follower) await agree(leader, follower);
  expect(leader.store.log.compacted.index).toBeGreaterThan(100);
  expect(framesTo(nodeId(1)).concat(framesTo(nodeId(2)))).toEqual([]);
});

test('a call whose entry a snapshot has covered is answered as unknown', async () => {
  cluster = new NodeCluster(3, { settings: SHORT_LOG });
  const old = await cluster.leader();
  await put(old, '/a', 'old');
  cluster.cut(old.id);
  const lost = old.node.propose(encodeCommand({ type: 'merge', tree: 'data', leaves: [['/a', 'lost']] }));
  const next = await cluster.leader();
  const { index } = old.store.log.lastLog;
  await until(async () => {
    await putMany(next, 10);
    expect(next.store.log.compacted.index).toBeGreaterThan(index);
  });
  cluster.heal();
  const message = 'this node got a snapshot in place of the log';
  expect(await lost).toEqual({ type: 'unknown', message });
  await agree(next, old);
});

test('only a few snapshots are sent at once; the others wait for their turn', async () => {
  let open = 0;
  let most = 0;
  cluster = new NodeCluster(5, {
    settings: SHORT_LOG,
    limits: { maxTransfers: 1 },
    tamper: (frame) => {
      if (frame.type === 'offer') open += 1;
      if (frame.type === 'done') open -= 1;
      most = Math.max(most, open);
      return frame;
    },
  });
  const leader = await cluster.leader();
  const followers = cluster.members.filter(({ id }) => id !== leader.id).slice(0, 2);
  for (const { id } of followers) cluster.cut(id);
  const last = Math.max(...followers.map(({ store }) => store.log.lastLog.index));
  await until(async () => {
    await putMany(leader, 10);
    expect(leader.store.log.compacted.index).toBeGreaterThan(last);
  });
  cluster.heal();
  for (const follower of followers) await agree(leader, follower);
  expect(most).toBe(1);
});

test('a new leader sends what the old one began, and the old one gives up', async () => {
  let isSlow = true;
  cluster = new NodeCluster(3, {
    settings: { ...SHORT_LOG, keepEntries: 0 },
    limits: { chunkBytes: 4096, maxWindowBytes: 4096 },
    tamper: (frame) => (isSlow && frame.type === 'chunk' && frame.offset > 20_000 ? null : frame),
  });
  const old = await cluster.leader();
  const follower = other(old);
  await leaveBehind(old, follower);
  cluster.heal();
  await until(() => expect(chunksTo(follower.id).length).toBeGreaterThan(2));
  cluster.cut(old.id);
  const next = cluster.members.find(({ id }) => id !== old.id && id !== follower.id);
  if (!next) throw new Error('a third node');
  await until(() => expect(next.node.state.role).toBe('leader'));
  isSlow = false;
  await put(next, '/after');
  await agree(next, follower);
  cluster.heal();
  await agree(next, old);
});
