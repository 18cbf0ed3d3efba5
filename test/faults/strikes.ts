import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '@metad/raft-core/simulation';
import type { Cluster } from '../e2e/cluster.ts';
import type { PeerNetwork } from './peer-network.ts';
import type { Tally } from './tally.ts';

/** What happens in one round: to processes, or to the ways between them. */
export const STRIKES = [
  ...(['leader', 'follower', 'again', 'two', 'all'] as const),
  ...(['stopLeader', 'stopFollower'] as const),
  ...(['pauseLeader', 'pauseFollower'] as const),
  ...(['cutLeader', 'cutFollower', 'deafLeader', 'muteLeader', 'cutAll'] as const),
];

export type Strike = (typeof STRIKES)[number];

/** Whether two of the three nodes are there all the time. */
export function keepsMajority(name: Strike): boolean {
  return name !== 'two' && name !== 'all' && name !== 'cutAll';
}

/** When a node that starts is killed again, at most: about as long as a start takes. */
const MAX_START_MS = 800;

export interface StrikeOptions {
  readonly cluster: Cluster;
  readonly random: Random;
  readonly tally: Tally;
  readonly network: PeerNetwork;
  /**
   * How long a node stays away or stands still and how long a way is blocked, at most. Beyond an election timeout there
   * is another leader meanwhile, and with a short log what was missed has to come as a snapshot.
   */
  readonly maxFaultMs: number;
}

/** Lets it happen, and resolves once every process runs again; whether it serves is another matter. */
export async function strike(name: Strike, options: StrikeOptions): Promise<void> {
  const { cluster, random } = options;
  const [first = 0, second = 0] = random.shuffled(cluster.ids);
  switch (name) {
    case 'leader':
      return killAndStart([await cluster.leader()], options);
    case 'follower':
      return killAndStart([await follower(options)], options);
    case 'again':
      return killTwice(first, options);
    case 'two':
      return killAndStart([first, second], options);
    case 'all':
      return killAndStart(cluster.ids, options);
    case 'stopLeader':
      return stopAndStart(await cluster.leader(), options);
    case 'stopFollower':
      return stopAndStart(await follower(options), options);
    case 'pauseLeader':
      return pause(await cluster.leader(), options);
    case 'pauseFollower':
      return pause(await follower(options), options);
    case 'cutFollower':
      return cut([await follower(options)], options);
    case 'cutLeader':
      return cut([await cluster.leader()], options);
    case 'cutAll':
      return cut(cluster.ids, options);
    case 'deafLeader':
      return cutOneWay(await cluster.leader(), 'deaf', options);
    case 'muteLeader':
      return cutOneWay(await cluster.leader(), 'mute', options);
  }
}

async function follower({ cluster, random }: StrikeOptions): Promise<number> {
  const leader = await cluster.leader();
  return random.pick(cluster.ids.filter((id) => id !== leader)) ?? 0;
}

async function killAndStart(ids: readonly number[], options: StrikeOptions): Promise<void> {
  const { random, maxFaultMs } = options;
  await kill(ids, options);
  await sleep(random.below(maxFaultMs));
  for (const id of random.shuffled(ids)) {
    options.cluster.launch(id);
    if (random.chance(0.5)) await sleep(random.below(MAX_START_MS));
  }
}

/** The second time somewhere between its first instruction and its having caught up. */
async function killTwice(id: number, options: StrikeOptions): Promise<void> {
  await killAndStart([id], options);
  await sleep(options.random.below(MAX_START_MS));
  await killAndStart([id], options);
}

/** In order, as who upgrades a node does it. */
async function stopAndStart(
  id: number,
  { cluster, random, tally, maxFaultMs }: StrikeOptions,
): Promise<void> {
  const exit = await cluster.stop(id);
  if (exit.code !== 0) throw new Error(`node ${id} did not end in order: ${JSON.stringify(exit)}`);
  tally.stops += 1;
  tally.readLog(cluster.process(id).log);
  await sleep(random.below(maxFaultMs));
  cluster.launch(id);
}

async function pause(id: number, { cluster, random, tally, maxFaultMs }: StrikeOptions): Promise<void> {
  tally.pauses += 1;
  cluster.pause(id);
  await sleep(random.below(maxFaultMs));
  cluster.resume(id);
}

/** Each of them alone, the others together. */
async function cut(
  ids: readonly number[],
  { cluster, network, random, tally, maxFaultMs }: StrikeOptions,
): Promise<void> {
  tally.partitions += 1;
  const others = cluster.ids.filter((id) => !ids.includes(id));
  network.part(...ids.map((id) => [id]), others);
  await sleep(random.below(maxFaultMs));
  network.heal();
}

async function cutOneWay(
  id: number,
  how: 'deaf' | 'mute',
  { cluster, network, random, tally, maxFaultMs }: StrikeOptions,
): Promise<void> {
  tally.partitions += 1;
  for (const other of cluster.ids.filter((other) => other !== id)) {
    if (how === 'deaf') network.block(other, id);
    else network.block(id, other);
  }
  await sleep(random.below(maxFaultMs));
  network.heal();
}

async function kill(ids: readonly number[], { cluster, tally }: StrikeOptions): Promise<void> {
  await Promise.all(
    ids.map(async (id) => {
      const exit = await cluster.process(id).end('SIGKILL');
      if (exit.signal !== 'SIGKILL')
        throw new Error(`node ${id} had ended by itself: ${JSON.stringify(exit)}`);
      tally.kills += 1;
      tally.readLog(cluster.process(id).log);
    }),
  );
}
