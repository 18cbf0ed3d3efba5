import { EventEmitter, once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { encodeCommand, StateDatabase } from '@metad/kv-store';
import { afterEach, expect, test, vi } from 'vitest';
import { type Member, NodeCluster } from './node-cluster.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

function put(member: Member, path: string, value = 'x') {
  return member.node.propose(encodeCommand({ type: 'merge', tree: 'data', leaves: [[path, value]] }));
}

function read(member: Member, path: string): string | undefined {
  const state = StateDatabase.open(member.store.stateFile);
  const value = state.read((view) => view.value('data', path));
  state.close();
  return value;
}

function others(leader: Member): Member[] {
  return cluster.members.filter(({ id }) => id !== leader.id);
}

test('a single node leads by itself and applies what is proposed', async () => {
  cluster = new NodeCluster(1);
  const leader = await cluster.leader();
  expect(await put(leader, '/a')).toMatchObject({ type: 'done', result: { version: 1 } });
  expect(read(leader, '/a')).toBe('x');
});

test('a proposal is on every node after a read barrier there', async () => {
  cluster = new NodeCluster(3);
  const leader = await cluster.leader();
  expect(await put(leader, '/a', 'one')).toMatchObject({ type: 'done' });
  for (const member of others(leader)) {
    expect(await member.node.readBarrier()).toEqual({ type: 'ready' });
    expect(read(member, '/a')).toBe('one');
  }
});

test('a node that does not lead names the one that does', async () => {
  cluster = new NodeCluster(3);
  const leader = await cluster.leader();
  const [follower] = others(leader);
  if (!follower) throw new Error('three nodes have two followers');
  await follower.node.until((status) => status.leader !== null, 1000);
  expect(await put(follower, '/a')).toEqual({
    type: 'refused',
    error: { type: 'forwardToLeader', leader: leader.id },
  });
});

test('what arrives in one turn is one batch in the log', async () => {
  cluster = new NodeCluster(3);
  const leader = await cluster.leader();
  await put(leader, '/first');
  const append = leader.store.log.append.bind(leader.store.log);
  const batches: number[] = [];
  leader.store.log.append = (batch) => {
    if (batch.entries.length > 0) batches.push(batch.entries.length);
    append(batch);
  };
  await Promise.all(Array.from({ length: 100 }, (_, i) => put(leader, `/k/${i}`)));
  expect(batches).toEqual([100]);
});

test('a leader that is cut off says that it does not know, and what the others agreed on holds', async () => {
  cluster = new NodeCluster(3);
  const old = await cluster.leader();
  await put(old, '/a', 'old');
  cluster.cut(old.id);
  const lost = put(old, '/a', 'lost');
  const next = await cluster.leader();
  expect(next.id).not.toBe(old.id);
  expect(await put(next, '/a', 'new')).toMatchObject({ type: 'done' });
  cluster.heal();
  // Its entry gives way to the new leader's, so in the end it knows that the write never happened.
  expect((await lost).type).not.toBe('done');
  expect(await old.node.readBarrier()).toEqual({ type: 'ready' });
  expect(read(old, '/a')).toBe('new');
});

test('a read on a leader that is cut off is not answered from what it holds', async () => {
  cluster = new NodeCluster(3);
  const old = await cluster.leader();
  await put(old, '/a', 'old');
  cluster.cut(old.id);
  const stale = old.node.readBarrier();
  const next = await cluster.leader();
  await put(next, '/a', 'new');
  cluster.heal();
  expect(await stale).toEqual({ type: 'ready' });
  expect(read(old, '/a')).toBe('new');
});

test('handing over the lead ends with another leader, and a sole voter has nobody to hand it to', async () => {
  cluster = new NodeCluster(3);
  const leader = await cluster.leader();
  expect(await leader.node.transferLeadership(null)).toBe('transferred');
  expect((await cluster.leader()).id).not.toBe(leader.id);
  await cluster.close();
  cluster = new NodeCluster(1);
  expect(await (await cluster.leader()).node.transferLeadership(null)).toBe('noTarget');
});

test('a restarted node goes on with what it had, and catches up with what it missed', async () => {
  cluster = new NodeCluster(3);
  const leader = await cluster.leader();
  await put(leader, '/before');
  const [follower] = others(leader);
  if (!follower) throw new Error('three nodes have two followers');
  await cluster.stop(follower.id);
  await put(leader, '/meanwhile', 'missed');
  const again = cluster.start(follower.id);
  expect(again.node.state.caughtUp).toBe(false);
  await again.node.until(() => again.node.state.caughtUp, 5000);
  expect(read(again, '/meanwhile')).toBe('missed');
  expect(again.store.state.digest).toBe(leader.store.state.digest);
});

test.for(['append', 'sync'] as const)(
  'a disk that fails in %s stops the node and tells why; the others go on',
  async (call) => {
    cluster = new NodeCluster(3);
    const leader = await cluster.leader();
    const { log } = leader.store;
    const healthy = log[call];
    log[call] = () => {
      throw new Error('disk I/O error');
    };
    const outcome = await put(leader, '/a');
    Object.assign(log, { [call]: healthy });
    expect(outcome.type).toBe('unknown');
    expect(leader.faults).toEqual([new Error('disk I/O error')]);
    cluster.cut(leader.id);
    expect(await put(await cluster.leader(), '/b')).toMatchObject({ type: 'done' });
  },
);

/** Syncs of that member's log end once the returned function was called, and not before. */
function holdDisk({ store: { log } }: Member): () => void {
  const sync = log.sync.bind(log);
  const released = new EventEmitter();
  const isReleased = once(released, 'released');
  log.sync = async () => {
    await isReleased;
    await sync();
  };
  return () => void released.emit('released');
}

/** A write that is in that member's log, and on its disk only once `release` was called. */
async function holdWrite(member: Member) {
  const release = holdDisk(member);
  const write = put(member, '/a');
  const { node, store } = member;
  await vi.waitFor(() => expect(node.status().lastLog.index).toBe(store.log.lastLog.index));
  return { write, release };
}

test('nothing is acknowledged before the disk has it, and the thread waits for no disk', async () => {
  cluster = new NodeCluster(3);
  const leader = await cluster.leader();
  await put(leader, '/before');
  const releases = others(leader).map(holdDisk);
  let isDone = false;
  const write = put(leader, '/a').then((outcome) => {
    isDone = true;
    return outcome;
  });
  // The followers have the entry and can't sync it; they still hear the leader, whose own disk is quick.
  const at = leader.store.log.lastLog.index + 1;
  await vi.waitFor(() =>
    expect(others(leader).map(({ store }) => store.log.lastLog.index)).toEqual([at, at]),
  );
  expect(isDone).toBe(false);
  expect(leader.node.status().committed).toBeLessThan(at);
  for (const release of releases) release();
  expect(await write).toMatchObject({ type: 'done' });
});

test('entries that are on disk are applied while the disk is busy with those that follow', async () => {
  cluster = new NodeCluster(1);
  const leader = await cluster.leader();
  const { log } = leader.store;
  const sync = log.sync.bind(log);
  let second: ReturnType<typeof put> | undefined;
  let release: (() => void) | undefined;
  log.sync = async () => {
    await sync();
    log.sync = sync;
    release = holdDisk(leader);
    // In time for the Ready that has the first one to apply.
    second = put(leader, '/second');
  };
  expect(await put(leader, '/first')).toMatchObject({ type: 'done' });
  expect(log.lastLog.index).toBe(leader.store.state.applied.index + 1);
  release?.();
  expect(await second).toMatchObject({ type: 'done' });
});

test('the log is compacted once the disk has what it is being given', async () => {
  cluster = new NodeCluster(1);
  const leader = await cluster.leader();
  await put(leader, '/before');
  const { log, state } = leader.store;
  const { write, release } = await holdWrite(leader);
  const applied = state.applied.index;
  const compacting = leader.node.compactLog(applied);
  await leader.node.until(() => true, 10);
  expect(log.compacted.index).toBe(0);
  release();
  await compacting;
  expect(log.compacted.index).toBe(applied);
  expect(await write).toMatchObject({ type: 'done' });
});

test('the log is compacted while writes never cease', async () => {
  const settings = { logBytes: 2 ** 30, logEntries: 200, keepEntries: 50 };
  cluster = new NodeCluster(1, { settings });
  const leader = await cluster.leader();
  const { log } = leader.store;
  let isDone = false;
  const writeOn = async () => {
    // In each turn of the event loop, so that there always is something to write when a sync ends.
    for (; !isDone; await setImmediate()) void put(leader, '/a');
  };
  const writer = writeOn();
  await vi.waitUntil(() => log.compacted.index > 20 * settings.logEntries, { timeout: 30_000 });
  isDone = true;
  await writer;
});

test('a node that was stopped while its disk is busy says nothing more of itself', async () => {
  cluster = new NodeCluster(1);
  const leader = await cluster.leader();
  const { write, release } = await holdWrite(leader);
  const barrier = leader.node.readBarrier();
  leader.node.quarantine('in quarantine');
  const states: unknown[] = [];
  leader.node.onState((state) => states.push(state));
  release();
  await leader.store.log.sync();
  await setImmediate();
  expect(states).toEqual([]);
  expect(leader.node.state).toMatchObject({ leader: null, quarantine: 'in quarantine' });
  expect(await write).toMatchObject({ type: 'unknown' });
  expect(await barrier).toMatchObject({ type: 'unavailable' });
});

test('a node that stops while its disk is busy leaves nothing behind', async () => {
  cluster = new NodeCluster(1);
  const leader = await cluster.leader();
  const { write, release } = await holdWrite(leader);
  await cluster.stop(leader.id);
  expect(await write).toMatchObject({ type: 'unknown' });
  release();
  const again = cluster.start(leader.id);
  expect(await again.node.readBarrier()).toEqual({ type: 'ready' });
  expect(leader.faults).toEqual([]);
  expect(read(again, '/a')).toBe('x');
});

test('stopping answers what is open', async () => {
  cluster = new NodeCluster(3);
  const leader = await cluster.leader();
  cluster.cut(leader.id);
  const write = put(leader, '/a');
  const barrier = leader.node.readBarrier();
  await cluster.stop(leader.id);
  expect(await write).toMatchObject({ type: 'unknown' });
  expect(await barrier).toMatchObject({ type: 'unavailable' });
  expect(await put(leader, '/b')).toEqual({ type: 'refused', error: { type: 'stopping' } });
  expect(await leader.node.transferLeadership(null)).toBe('stopping');
});

test('whoever waits for something again and again does not keep the loop from running', async () => {
  cluster = new NodeCluster(1);
  const leader = await cluster.leader();
  let isDone = false;
  const write = put(leader, '/a').then(() => {
    isDone = true;
  });
  while (!isDone) expect(await leader.node.until(() => true, 10)).toBe(true);
  await write;
});
