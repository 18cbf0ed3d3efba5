import { nodeId } from '@metad/raft-core';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { InstanceBinding } from '../src/consensus/instance-binding.ts';
import { type Member, NodeCluster } from './node-cluster.ts';

let cluster: NodeCluster;

afterEach(() => cluster.close());

function identity(id: number) {
  return { node: nodeId(id), instance: `instance-${id}`, cluster: 'test' };
}

function recorded({ node }: Member): (string | undefined)[] {
  return [...node.status().committedMembership.membership.nodes.values()].map(({ instance }) => instance);
}

test('a leader records the instances of an initial cluster as the members connect', async () => {
  cluster = new NodeCluster(3);
  const bindings = cluster.members.map(({ id, node }) => {
    return new InstanceBinding({ node, logger: pino({ level: 'silent' }), self: identity(id) });
  });
  for (const binding of bindings) for (const id of [1, 2, 3]) binding.learn(identity(id));
  const leader = await cluster.leader();
  const all = ['instance-1', 'instance-2', 'instance-3'];
  await leader.node.until(() => recorded(leader).every((instance) => instance !== undefined), 5000);
  expect(recorded(leader)).toEqual(all);
  expect(leader.node.status().membership.membership.configs).toEqual([[1, 2, 3]]);
});

test('what is recorded is never replaced by who comes later', async () => {
  cluster = new NodeCluster(1);
  const [member] = cluster.members;
  if (!member) throw new Error('there is one node');
  const binding = new InstanceBinding({
    node: member.node,
    logger: pino({ level: 'silent' }),
    self: identity(1),
  });
  await member.node.until(() => recorded(member)[0] === 'instance-1', 5000);
  binding.learn({ ...identity(1), instance: 'impostor' });
  expect(await member.node.readBarrier()).toEqual({ type: 'ready' });
  expect(recorded(member)).toEqual(['instance-1']);
});

test('a leader that stops with something left to record leaves the loop free', async () => {
  cluster = new NodeCluster(3);
  const leader = await cluster.leader();
  const binding = new InstanceBinding({
    node: leader.node,
    logger: pino({ level: 'silent' }),
    self: identity(leader.id),
  });
  leader.node.stop();
  for (const id of [1, 2, 3]) binding.learn(identity(id));
  // A loop of promises that never rests would keep this from ever coming.
  await new Promise((resolve) => setImmediate(resolve));
  expect(leader.node.state.role).not.toBe('leader');
});
