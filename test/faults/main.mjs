// npm run faults -- [--rounds N] [--seed N]
//
// The loop of kill-loop.test.ts, for longer: kill -9, SIGSTOP and partitions of real processes under load, all that they
// promise checked after each round. The seed chooses the faults; when they come is up to the machine.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(Math.ceil(Math.random() * 1e6)) },
  },
});
const { rounds, seed } = values;
if (![rounds, seed].every((text) => /^[1-9]\d{0,8}$/.test(text))) {
  console.error('usage: npm run faults -- [--rounds N] [--seed N]');
  process.exit(2);
}

const words = [
  'run',
  'test/faults/kill-loop.test.ts',
  '--config',
  'test/vitest.config.ts',
  '--disableConsoleIntercept',
];
const env = { ...process.env, FAULTS_ROUNDS: rounds, FAULTS_SEED: seed };
const child = spawn(process.execPath, [VITEST, ...words], { cwd: ROOT, env, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.once('close', (code) => process.exit(code ?? 1));
