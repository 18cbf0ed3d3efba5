import { afterAll, beforeAll, expect, test } from 'vitest';
import { useCluster } from '../e2e/cluster.ts';
import { formBehind } from './form-behind.ts';
import { PeerNetwork } from './peer-network.ts';
import type { Strike } from './strikes.ts';
import { WaitLoop } from './waits/wait-loop.ts';

// `npm run faults -- --waits --rounds 100` makes many rounds of this test, of every kind.

const isLong = process.env.FAULTS_ROUNDS !== undefined;
const rounds = Number(process.env.FAULTS_ROUNDS ?? 4);
const seed = Number(process.env.FAULTS_SEED ?? 1);
const clients = isLong ? 80 : 50;
const SHORT: readonly Strike[] = ['leader', 'stopFollower', 'all', 'stopLeader'];
const LONG: readonly Strike[] = [
  ...(['leader', 'follower', 'again', 'two', 'all', 'stopLeader', 'stopFollower'] as const),
  ...(['pauseLeader', 'pauseFollower', 'cutLeader', 'cutFollower'] as const),
];
const FLAGS = [
  // Long enough that a node that was away for a moment need not get a snapshot, which would end all its waits.
  ...['--snapshot_log_entries', '300', '--snapshot_keep_entries', '50'],
  // A node that does not catch up in this time shows an older version to who comes with prev_version alone.
  ...['--catch_up_wait', '30s'],
];
const LEARNER = 4;
const ROUND_LIMIT_MS = 120_000;

const cluster = useCluster();
const network = new PeerNetwork();

afterAll(() => network.close());

beforeAll(async () => {
  await formBehind(cluster, network, ...FLAGS);
  await cluster.add(LEARNER, ...FLAGS);
  cluster.launch(LEARNER, '--standby');
  await cluster.listening(LEARNER);
  expect(await cluster.addLearner(1, LEARNER)).toHaveProperty('Ok');
  await cluster.ready(LEARNER);
});

test(
  `${rounds} rounds of writes, rules, mappings and faults under ${clients} waiting clients, seed ${seed}`,
  async () => {
    const loop = new WaitLoop({
      cluster,
      network,
      rounds,
      seed,
      clients,
      strikes: isLong ? LONG : SHORT,
      maxFaultMs: 2_000,
      onRound: console.info,
    });
    await loop.run().finally(() => console.info(`seed ${seed}, ${loop.tally}`));
    expect(loop.tally.rounds).toBe(rounds);
    expect(loop.tally.reasons.seen).toBeGreaterThan(rounds * clients);
    expect(loop.faults.errors).toEqual([]);
  },
  rounds * ROUND_LIMIT_MS,
);
