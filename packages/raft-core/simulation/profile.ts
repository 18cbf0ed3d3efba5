import { DEFAULT_RAFT_LIMITS, type RaftConfig } from '@metad/raft-core';
import { TICK } from './event-queue.ts';
import { FAULTS, type Fault } from './nemesis.ts';
import { type NetworkQuality, nearby } from './network.ts';
import type { Random } from './random.ts';
import { NO_TROUBLES, type Troubles } from './world.ts';

/** What kind of run a seed makes: how large, how bad, and how bad at what. */
export interface Profile {
  /** These form the cluster. */
  readonly voters: number;
  /** In its first membership, with empty disks. */
  readonly learners: number;
  /** Voters, learners, and those that stand by with empty disks. */
  readonly nodes: number;
  readonly limits: Omit<RaftConfig, 'id' | 'random'>;
  readonly network: NetworkQuality;
  readonly troubles: Troubles;
  /** Between two faults, on average, in ticks. */
  readonly faultTicks: number;
  /** Which of them happen at all. */
  readonly faults: readonly Fault[];
  /** Between two actions of the operator (membership, transfer), on average, in ticks. */
  readonly operatorTicks: number;
  /** Between two compactions of one node, on average, in ticks. */
  readonly compactionTicks: number;
  readonly clients: number;
  /** Between two calls of one client, on average. */
  readonly thinkingTicks: number;
  /** So many writes at once, at most. */
  readonly burst: number;
  readonly keys: number;
  /** How long the trouble lasts. */
  readonly ticks: number;
}

/** Draws a run. Some are quiet but for one thing, some are bad at everything: what hides in noise shows in quiet. */
export function drawProfile(random: Random): Profile {
  const voters = random.pick([1, 2, 3, 3, 3, 4, 5, 5]) ?? 3;
  const learners = random.pick([0, 0, 1, 2]) ?? 0;
  return {
    voters,
    learners,
    nodes: Math.min(7, voters + learners + random.below(3)),
    limits: drawLimits(random),
    network: drawNetwork(random),
    troubles: drawTroubles(random),
    faultTicks: 3 + random.below(30),
    // All at once hide what one alone brings out.
    faults: random.subset(FAULTS, random.pick([0.2, 0.5, 0.8]) ?? 0.5),
    operatorTicks: random.pick([4, 10, 25, 100]) ?? 25,
    compactionTicks: random.pick([3, 10, 30, 1000]) ?? 30,
    clients: 1 + random.below(5),
    thinkingTicks: random.pick([1, 3, 6]) ?? 3,
    burst: random.pick([1, 1, 4, 10]) ?? 1,
    keys: 1 + random.below(3),
    ticks: 250 + random.below(150),
  };
}

/** Small limits, so that a short run meets them. */
function drawLimits(random: Random): Profile['limits'] {
  return {
    ...DEFAULT_RAFT_LIMITS,
    electionTimeoutTicks: 4 + random.below(7),
    heartbeatTicks: 1 + random.below(2),
    maxAppendBytes: random.pick([80, 300, 4000]) ?? 300,
    maxInflightMessages: random.pick([1, 2, 4, 64]) ?? 4,
    maxInflightBytes: random.pick([200, 1000, 100_000]) ?? 1000,
    maxUncommittedBytes: random.pick([400, 2000, 100_000]) ?? 2000,
    maxCommittedBytes: random.pick([100, 400, 100_000]) ?? 400,
    maxTailBytes: random.pick([100, 700, 100_000]) ?? 700,
    maxPendingReads: random.pick([2, 50]) ?? 50,
  };
}

function drawNetwork(random: Random): NetworkQuality {
  const near = nearby(random);
  if (random.chance(0.3)) return near;
  return {
    loss: random.chance(0.6) ? random.next() ** 2 * 0.4 : 0,
    duplication: random.chance(0.5) ? random.next() * 0.3 : 0,
    minDelay: 1,
    ...(random.chance(0.5)
      ? { maxDelay: random.pick([10, TICK / 2, 2 * TICK, 6 * TICK]) ?? TICK, stragglers: false }
      : { maxDelay: 40 * TICK, stragglers: true }),
    ordered: random.chance(0.3),
  };
}

function drawTroubles(random: Random): Troubles {
  if (random.chance(0.3)) return NO_TROUBLES;
  return {
    crashWithinTurn: random.next() ** 4 * 0.02,
    stallWithinTurn: random.chance(0.5) ? random.next() * 0.3 : 0,
  };
}
