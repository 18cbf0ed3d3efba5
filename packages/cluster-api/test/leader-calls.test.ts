import { type Command, decodeCommand, encodeCommand, StateDatabase, writeOf } from '@metad/kv-store';
import { type NodeId, nodeId, ZERO_LOG_ID } from '@metad/raft-core';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Call, CallOutcome } from '../src/consensus/call.ts';
import { LeaderCalls } from '../src/consensus/leader-calls.ts';
import { StateQuota } from '../src/consensus/state-quota.ts';
import type { IdentifyOutcome } from '../src/peers/transport.ts';
import { type Member, NodeCluster } from './node-cluster.ts';

let cluster: NodeCluster;
let leader: Member;
let answers: Map<string, IdentifyOutcome>;
let usedBytes: number;
let requiredLevel: number;

beforeEach(async () => {
  cluster = new NodeCluster(1);
  leader = await cluster.leader();
  // Before it has committed something in its term, a leader refuses changes of the membership.
  await leader.node.readBarrier();
  answers = new Map();
  usedBytes = 99;
  requiredLevel = 1;
});

afterEach(() => cluster.close());

function identified(addr: string, node: number, clusterId: string | null = null, run = `run-${node}`): void {
  const identity = {
    node: nodeId(node),
    instance: `disk-${node}`,
    run,
    cluster: clusterId,
    membership: ZERO_LOG_ID,
    levels: { known: 2, allowed: 1 },
  };
  answers.set(addr, { type: 'identified', identity });
}

function execute(call: Call, on: Member = leader): Promise<CallOutcome> {
  return calls(on).execute(call);
}

function calls(on: Member): LeaderCalls {
  return new LeaderCalls({
    node: on.node,
    transport: {
      identify: (addr) =>
        Promise.resolve(answers.get(addr) ?? { type: 'failed', reason: 'connection refused' }),
    },
    clusterId: () => 'test',
    maxEntryBytes: 1000,
    quota: new StateQuota({ maxBytes: 100, usedBytes: () => usedBytes }),
    requiredLevel: () => requiredLevel,
    identifyTimeoutMs: 100,
    membershipPatienceTicks: 50,
  });
}

function addLearner(node: number, addr: string): Call {
  return { type: 'addLearner', node: nodeId(node), addr };
}

function nodes(): NodeId[] {
  return [...leader.node.status().membership.membership.nodes.keys()];
}

describe('adding a learner', () => {
  test('asks the address who it is, and records the disk', async () => {
    identified('127.0.0.1:2', 2);
    expect(await execute(addLearner(2, '127.0.0.1:2'))).toMatchObject({ type: 'done' });
    expect(leader.node.status().membership.membership.nodes.get(nodeId(2))).toEqual({
      addr: '127.0.0.1:2',
      instance: 'disk-2',
    });
  });

  test('again changes nothing', async () => {
    identified('127.0.0.1:2', 2, 'test');
    await execute(addLearner(2, '127.0.0.1:2'));
    expect(await execute(addLearner(2, '127.0.0.1:2'))).toMatchObject({ type: 'done' });
    identified('127.0.0.1:21001', 1, 'test');
    expect(await execute(addLearner(1, '127.0.0.1:21001'))).toMatchObject({ type: 'done' });
    expect(nodes()).toEqual([1, 2]);
  });

  test('that is a member already gives it its new address, this node included', async () => {
    identified('127.0.0.1:2', 2);
    await execute(addLearner(2, '127.0.0.1:2'));
    identified('127.0.0.1:22', 2, 'test');
    expect(await execute(addLearner(2, '127.0.0.1:22'))).toMatchObject({ type: 'done' });
    await leader.node.changeMembership(
      { type: 'addLearner', node: leader.id, record: { addr: '127.0.0.1:21001', instance: 'disk-1' } },
      50,
    );
    expect(await execute(addLearner(1, '127.0.0.1:11'))).toMatchObject({
      type: 'refused',
      error: { type: 'unreachable' },
    });
    identified('127.0.0.1:11', 1, 'test');
    expect(await execute(addLearner(1, '127.0.0.1:11'))).toMatchObject({ type: 'done' });
    const addresses = [...leader.node.status().membership.membership.nodes.values()].map(({ addr }) => addr);
    expect(addresses).toEqual(['127.0.0.1:11', '127.0.0.1:22']);
  });

  test('that is a member already is refused while it still runs at its address', async () => {
    identified('127.0.0.1:2', 2);
    await execute(addLearner(2, '127.0.0.1:2'));
    identified('127.0.0.1:22', 2, 'test', 'on-a-copied-disk');
    expect(await execute(addLearner(2, '127.0.0.1:22'))).toMatchObject({
      error: {
        type: 'conflict',
        message: expect.stringMatching(/runs twice, at 127\.0\.0\.1:2 and at 127\.0\.0\.1:22.*end one/),
      },
    });
    answers.delete('127.0.0.1:2');
    expect(await execute(addLearner(2, '127.0.0.1:22'))).toMatchObject({ type: 'done' });
  });

  test('whose release knows less than the cluster uses is refused; what its operator allows does not matter', async () => {
    identified('127.0.0.1:2', 2);
    requiredLevel = 3;
    expect(await execute(addLearner(2, '127.0.0.1:2'))).toMatchObject({
      error: {
        type: 'conflict',
        message: expect.stringMatching(
          /node 2 at 127\.0\.0\.1:2 runs an older release: .* up to 2, and this cluster is at level 3; start it with/,
        ),
      },
    });
    expect(nodes()).toEqual([1]);
    requiredLevel = 2;
    expect(await execute(addLearner(2, '127.0.0.1:2'))).toMatchObject({ type: 'done' });
  });

  test('counts a level that was raised while the address was asked', async () => {
    identified('127.0.0.1:2', 2);
    const added = execute(addLearner(2, '127.0.0.1:2'));
    requiredLevel = 3;
    expect(await added).toMatchObject({ error: { type: 'conflict' } });
    expect(nodes()).toEqual([1]);
  });

  test('waits a little for a node that is being started', async () => {
    const added = execute(addLearner(2, '127.0.0.1:2'));
    await leader.node.until(() => false, 1);
    identified('127.0.0.1:2', 2);
    expect(await added).toMatchObject({ type: 'done' });
  });

  test('that does not answer names the command that starts it', async () => {
    const outcome = await execute(addLearner(2, '127.0.0.1:2'));
    expect(outcome).toMatchObject({
      error: { type: 'unreachable', message: expect.stringContaining('--id 2 --standby') },
    });
    expect(nodes()).toEqual([1]);
  });

  test('with another id, or of another cluster, is refused', async () => {
    identified('127.0.0.1:3', 3);
    identified('127.0.0.1:2', 2, 'elsewhere');
    expect(await execute(addLearner(2, '127.0.0.1:3'))).toMatchObject({
      error: { type: 'conflict', message: expect.stringContaining('has the id 3, not 2') },
    });
    expect(await execute(addLearner(2, '127.0.0.1:2'))).toMatchObject({
      error: { type: 'conflict', message: expect.stringContaining('another cluster') },
    });
    expect(nodes()).toEqual([1]);
  });

  test('at the address of another node is refused', async () => {
    identified('127.0.0.1:2', 2);
    await execute(addLearner(2, '127.0.0.1:2'));
    identified('127.0.0.1:2', 3);
    expect(await execute(addLearner(3, '127.0.0.1:2'))).toMatchObject({
      error: { type: 'conflict', message: expect.stringContaining('already the address of node 2') },
    });
  });
});

describe('a change of voters', () => {
  test('waits for a learner that never catches up, then says so and changes nothing', async () => {
    identified('127.0.0.1:2', 2);
    await execute(addLearner(2, '127.0.0.1:2'));
    const outcome = await execute({ type: 'changeMembership', voters: [nodeId(1), nodeId(2)] });
    expect(outcome).toMatchObject({
      error: { type: 'unreachable', message: expect.stringContaining('node 2 can') },
    });
    expect(leader.node.status().membership.membership.configs).toEqual([[1]]);
  });

  test('does not wait for a voter that is down already', async () => {
    await cluster.close();
    cluster = new NodeCluster(3);
    leader = await cluster.leader();
    const down = cluster.members.find(({ id }) => id !== leader.id);
    cluster.cut(down?.id ?? leader.id);
    await leader.node.propose(encodeCommand({ type: 'merge', tree: 'data', leaves: [['/missed', 'x']] }));
    const voters = cluster.members.map(({ id }) => id);
    expect(await execute({ type: 'changeMembership', voters })).toMatchObject({ type: 'done' });
  });

  test.each([
    [[], 'emptyMembership'],
    [[1, 7], 'learnerNotFound'],
  ])('to %j is refused: %s', async (voters, type) => {
    const outcome = await execute({ type: 'changeMembership', voters: voters.map(nodeId) });
    expect(outcome).toMatchObject({ type: 'refused', error: { type } });
  });
});

test('a voter is not removed as a learner', async () => {
  expect(await execute({ type: 'removeLearner', node: nodeId(1) })).toMatchObject({
    error: { type: 'conflict' },
  });
});

test('the lead of a single node goes nowhere', async () => {
  expect(await execute({ type: 'transferLeader', to: null })).toMatchObject({
    error: { type: 'conflict', message: 'no other voter can take the lead' },
  });
});

test('a command over the limit is refused', async () => {
  const command = encodeCommand({ type: 'merge', tree: 'data', leaves: [['/a', 'x'.repeat(1000)]] });
  expect(await execute({ type: 'propose', command })).toEqual({
    type: 'refused',
    error: { type: 'tooLarge', maxBytes: 1000 },
  });
});

test('what no node could apply does not get into the log, whoever forwards it', async () => {
  const { index } = leader.node.status().lastLog;
  const outcome = await calls(leader).executeForwarded({ type: 'propose', command: Uint8Array.of(99, 1, 2) });
  expect(outcome).toMatchObject({ type: 'refused', error: { type: 'conflict' } });
  expect(leader.node.status().lastLog.index).toBe(index);
});

test('a write gets its time from the leader, forwarded or not', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 });
  onTestFinished(() => void vi.useRealTimers());
  const write = (value: string) =>
    encodeCommand(writeOf([{ type: 'merge', tree: 'data', leaves: [['/a', value]] }]));
  await execute({ type: 'propose', command: write('1') });
  vi.setSystemTime(1_600_000_000_000);
  await calls(leader).executeForwarded({ type: 'propose', command: write('2') });
  vi.setSystemTime(1_700_000_000_001);
  await execute({ type: 'propose', command: write('3') });
  const state = StateDatabase.open(leader.store.stateFile);
  onTestFinished(() => state.close());
  const history = state.read((view) => view.history({ before: null, limit: 9 }));
  // Where a clock goes back the last time stands.
  expect(history.map(({ time }) => time)).toEqual([1_700_000_000_001, 1_700_000_000_000, 1_700_000_000_000]);
});

test('a node that does not lead leaves the time to the one that does', async () => {
  await cluster.close();
  cluster = new NodeCluster(3);
  leader = await cluster.leader();
  const follower = cluster.members.find(({ id }) => id !== leader.id);
  if (!follower) throw new Error('there is no follower');
  const command = encodeCommand(writeOf([]));
  expect(await execute({ type: 'propose', command }, follower)).toMatchObject({ type: 'refused' });
  expect(decodeCommand(command)).toMatchObject({ time: 0 });
});

test('no other node raises the feature level', async () => {
  const command = encodeCommand({ type: 'setFeatureLevel', level: 2 });
  const outcome = await calls(leader).executeForwarded({ type: 'propose', command });
  expect(outcome).toMatchObject({
    error: { type: 'conflict', message: expect.stringContaining('only the leader') },
  });
  expect(leader.store.state.featureLevel).toBe(1);
});

describe('the quota of the state', () => {
  const propose = (command: Command): Call => ({ type: 'propose', command: encodeCommand(command) });
  const put = propose({ type: 'merge', tree: 'data', leaves: [['/a', '1']] });
  const full = { type: 'refused', error: { type: 'stateFull', maxBytes: 100 } };

  test('admits everything below it, and again once there is room', async () => {
    expect(await execute(put)).toMatchObject({ type: 'done', result: { version: 1 } });
    usedBytes = 100;
    expect(await execute(put)).toEqual(full);
    usedBytes = 99;
    expect(await execute(put)).toMatchObject({ type: 'done', result: { version: 1 } });
  });

  test.each<Command>([
    { type: 'merge', tree: 'data', leaves: [] },
    { type: 'replace', tree: 'mapping', path: '/', leaves: [] },
    { type: 'setRules', rules: [] },
    writeOf([
      { type: 'delete', tree: 'data', paths: ['/a'] },
      { type: 'merge', tree: 'data', leaves: [['/b', '1']] },
    ]),
  ])('%j is refused beyond it', async (command) => {
    usedBytes = 100;
    expect(await execute(propose(command))).toEqual(full);
    expect(await calls(leader).executeForwarded(propose(command))).toEqual(full);
  });

  test.each<Command>([
    { type: 'delete', tree: 'data', paths: ['/a'] },
    { type: 'deleteValue', tree: 'data', path: '/a' },
    { type: 'deleteRules', hosts: ['10.0.0.1'] },
    writeOf([
      { type: 'delete', tree: 'data', paths: ['/a'] },
      { type: 'deleteRules', hosts: ['10.0.0.1'] },
    ]),
  ])('%j passes beyond it', async (command) => {
    usedBytes = 1000;
    expect(await execute(propose(command))).toMatchObject({ type: 'done' });
  });

  const keyed = (key: string, value = '1') =>
    propose(writeOf([{ type: 'merge', tree: 'data', leaves: [['/a', value]] }], { idempotencyKey: key }));

  test('leaves a repeated request its first outcome', async () => {
    expect(await execute(keyed('k'))).toMatchObject({ result: { type: 'applied', version: 1 } });
    await execute(propose({ type: 'merge', tree: 'data', leaves: [['/b', '1']] }));
    usedBytes = 100;
    expect(await execute(keyed('k'))).toMatchObject({ result: { type: 'repeated', version: 1 } });
    expect(await execute(keyed('k', 'other'))).toMatchObject({ result: { type: 'keyReused', version: 2 } });
    expect(await execute(keyed('another'))).toEqual(full);
  });

  test('waits for the first request when that is in flight', async () => {
    const first = execute(keyed('k'));
    usedBytes = 100;
    expect(await execute(keyed('k'))).toMatchObject({ result: { type: 'repeated', version: 1 } });
    expect(await first).toMatchObject({ result: { type: 'applied', version: 1 } });
  });

  test('counts a key that is too old to be remembered as new', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 });
    onTestFinished(() => void vi.useRealTimers());
    await execute(keyed('k'));
    usedBytes = 100;
    vi.setSystemTime(Date.now() + 24 * 60 * 60 * 1000 + 1);
    expect(await execute(keyed('k'))).toEqual(full);
  });

  test('does not hold up changes of membership', async () => {
    usedBytes = 1000;
    identified('127.0.0.1:2', 2);
    expect(await execute(addLearner(2, '127.0.0.1:2'))).toMatchObject({ type: 'done' });
  });

  test('is the leader’s: another node names the leader instead', async () => {
    await cluster.close();
    cluster = new NodeCluster(3);
    leader = await cluster.leader();
    usedBytes = 1000;
    const follower = cluster.members.find(({ id }) => id !== leader.id);
    if (!follower) throw new Error('there is no follower');
    expect(await execute(put, follower)).toMatchObject({ error: { type: 'forwardToLeader' } });
  });

  test('of 0 is none', () => {
    const quota = new StateQuota({ maxBytes: 0, usedBytes: () => Number.MAX_SAFE_INTEGER });
    expect(quota.admits(encodeCommand({ type: 'setRules', rules: [] }))).toBe(true);
  });
});
