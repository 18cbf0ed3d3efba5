import { type NodeId, nodeId } from '@metad/raft-core';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { FeatureLevels, supportedLevels } from '../src/consensus/feature-levels.ts';
import type { SupportedLevels } from '../src/peers/transport.ts';
import { type Member, NodeCluster } from './node-cluster.ts';

// This file is a release that knows three levels, whatever the real one knows.
vi.mock('../../kv-store/src/feature-level.ts', async (original) => ({
  ...(await original<typeof import('../../kv-store/src/feature-level.ts')>()),
  MAX_FEATURE_LEVEL: 3,
}));

let cluster: NodeCluster;

afterEach(() => cluster.close());

const FIRST: SupportedLevels = { known: 1, allowed: 1 };
const NEWEST: SupportedLevels = { known: 3, allowed: 3 };

/** What each node says of itself to whoever is connected with it; a node that is not there is not connected. */
let said: Map<NodeId, SupportedLevels>;
let lines: string[];

/** A cluster of nodes that all know and allow everything, and say what they are told to say. */
function form(...levels: readonly (SupportedLevels | null)[]): FeatureLevels[] {
  cluster = new NodeCluster(levels.length);
  say(...levels);
  lines = [];
  return cluster.members.map((member) => watch(member));
}

function say(...levels: readonly (SupportedLevels | null)[]): void {
  said = new Map(levels.flatMap((level, at) => (level ? [[nodeId(at + 1), level]] : [])));
}

function watch({ node, store }: Member, own = NEWEST): FeatureLevels {
  return new FeatureLevels({
    node,
    present: () => store.state.featureLevel,
    own,
    levelsOf: (peer) => said.get(peer) ?? null,
    logger: pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line).msg) }),
  });
}

async function allAt(level: number): Promise<void> {
  for (const { node, store } of cluster.members) {
    expect(await node.until(() => store.state.featureLevel === level, 5000)).toBe(true);
  }
}

/** Waits for a line, then until nothing is on its way any more. */
async function told(line: RegExp): Promise<void> {
  await vi.waitFor(() => expect(lines.join('\n')).toMatch(line), { timeout: 30_000 });
  await (await cluster.leader()).node.readBarrier();
}

function levels(): number[] {
  return cluster.members.map(({ store }) => store.state.featureLevel);
}

/** The nodes that do not lead. */
async function followers(): Promise<readonly [NodeId, NodeId]> {
  const { id } = await cluster.leader();
  const [one, two] = [1, 2, 3].map(nodeId).filter((other) => other !== id);
  if (one === undefined || two === undefined) throw new Error('there are three nodes');
  return [one, two];
}

test('the level rises to what all members allow, and every node says so once', async () => {
  const middle = { known: 3, allowed: 2 };
  const features = form(middle, middle, middle);
  await allAt(2);
  expect(features.map(({ required }) => required)).toEqual([2, 2, 2]);
  await told(/(feature level 2\n?.*){3}/s);
  say(NEWEST, NEWEST, NEWEST);
  await allAt(3);
  await told(/(feature level 3\n?.*){3}/s);
  expect(lines.filter((line) => line.startsWith('the cluster has risen'))).toHaveLength(6);
});

test('one member that knows no more holds it back, and the leader says which', async () => {
  form(FIRST, FIRST, FIRST);
  const [old, other] = await followers();
  said.set(other, NEWEST);
  await told(
    new RegExp(
      `^the feature level stays 1, while this node could go to 3: node ${old} knows no more than 1$`,
      'm',
    ),
  );
  expect(levels()).toEqual([1, 1, 1]);
  said.set(old, NEWEST);
  await allAt(3);
});

test('so does one that its operator holds, or that is not connected', async () => {
  form(FIRST, FIRST, FIRST);
  const [held, away] = await followers();
  said.set(held, { known: 3, allowed: 1 });
  said.delete(away);
  await told(new RegExp(`node ${held} is held at 1 by max_feature_level`));
  await told(new RegExp(`node ${away} is not connected`));
  expect(levels()).toEqual([1, 1, 1]);
});

test('and so does a learner', async () => {
  cluster = new NodeCluster(1);
  said = new Map();
  lines = [];
  const { node, store } = await cluster.leader();
  await node.readBarrier();
  const record = { addr: '127.0.0.1:2', instance: 'two' };
  await node.changeMembership({ type: 'addLearner', node: nodeId(2), record }, 500);
  watch(cluster.member(1));
  await told(/node 2 is not connected/);
  expect(store.state.featureLevel).toBe(1);
  said.set(nodeId(2), NEWEST);
  await allAt(3);
});

test('a leader that its operator holds proposes nothing, and says so when the cluster is beyond that', async () => {
  form(NEWEST);
  await allAt(3);
  watch(cluster.member(1), { known: 3, allowed: 2 });
  expect(lines.at(-1)).toBe('max_feature_level is 2, but the cluster is at feature level 3: it stays there');
  expect(levels()).toEqual([3]);
});

test('the limit of the operator is what a node allows, and never more than its release knows', () => {
  form(FIRST);
  expect(supportedLevels(null)).toEqual({ known: 3, allowed: 3 });
  expect(supportedLevels(2)).toEqual({ known: 3, allowed: 2 });
  expect(supportedLevels(9)).toEqual({ known: 3, allowed: 3 });
});
