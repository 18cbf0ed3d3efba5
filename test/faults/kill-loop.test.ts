import { afterAll, beforeAll, expect, test } from 'vitest';
import { useCluster } from '../e2e/cluster.ts';
import { formBehind } from './form-behind.ts';
import { KillLoop, SHORT_LOG } from './kill-loop.ts';
import { PeerNetwork } from './peer-network.ts';
import { STRIKES, type Strike } from './strikes.ts';

// `npm run faults -- --rounds 200` makes many rounds of this test, of every kind.

const isLong = process.env.FAULTS_ROUNDS !== undefined;
const rounds = Number(process.env.FAULTS_ROUNDS ?? 5);
const seed = Number(process.env.FAULTS_SEED ?? 1);
/** Each once: what partition.test.ts does not show. */
const short: readonly Strike[] = ['leader', 'again', 'two', 'all', 'pauseLeader'];
const ROUND_LIMIT_MS = 120_000;

const cluster = useCluster();
const network = new PeerNetwork();

afterAll(() => network.close());

beforeAll(() => formBehind(cluster, network, ...SHORT_LOG));

test(
  `${rounds} rounds of faults under clients, seed ${seed}: every promise is kept`,
  async () => {
    const choice = isLong ? { strikes: STRIKES, maxFaultMs: 4_000 } : { strikes: short, maxFaultMs: 2_000 };
    const loop = new KillLoop({ cluster, network, rounds, seed, ...choice, onRound: console.info });
    const tally = await loop.run().finally(() => console.info(`seed ${seed}, ${loop.tally}`));
    expect(tally.rounds).toBe(rounds);
    expect(tally.errors).toEqual([]);
    expect(tally.compactions).toBeGreaterThan(0);
  },
  rounds * ROUND_LIMIT_MS,
);
