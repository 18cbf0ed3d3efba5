import { beforeAll, expect, test } from 'vitest';
import { useCluster } from '../e2e/cluster.ts';
import { KillLoop, SHORT_LOG } from './kill-loop.ts';

// `npm run faults -- --rounds 200` makes many rounds of this test.

const rounds = Number(process.env.FAULTS_ROUNDS ?? 7);
const seed = Number(process.env.FAULTS_SEED ?? 1);
const ROUND_LIMIT_MS = 120_000;

const cluster = useCluster();

beforeAll(() => cluster.form(3, ...SHORT_LOG));

test(
  `${rounds} rounds of kill -9 and SIGSTOP under clients, seed ${seed}: every promise is kept`,
  async () => {
    const loop = new KillLoop({ cluster, rounds, seed, onRound: console.info });
    const tally = await loop.run().finally(() => console.info(`seed ${seed}, ${loop.tally}`));
    expect(tally.rounds).toBe(rounds);
    expect(tally.compactions).toBeGreaterThan(0);
  },
  rounds * ROUND_LIMIT_MS,
);
