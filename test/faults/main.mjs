// npm run faults -- [--waits] [--rounds N] [--seed N]
//
// The loops of kill-loop.test.ts and waits.test.ts, for longer: kill -9, SIGTERM, SIGSTOP and partitions of real
// processes under load, all that they promise checked after each round. The seed chooses the faults; when they come is up
// to the machine.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));

const USAGE = `usage: npm run faults -- [--waits] [--rounds N] [--seed N]

  --waits      race waiting clients with writes of data, rules and mappings, and judge all that they are shown;
               unless given, clients write and read the same keys, and their histories must be linearizable
  --rounds N   how many faults, 50 unless given
  --seed N     chooses them; at random unless given
  --help       this text`;

const options = readOptions();
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}

const words = [
  'run',
  options.waits ? 'test/faults/waits.test.ts' : 'test/faults/kill-loop.test.ts',
  '--config',
  'test/vitest.config.ts',
  '--disableConsoleIntercept',
];
const env = { ...process.env, FAULTS_ROUNDS: options.rounds, FAULTS_SEED: options.seed };
const child = spawn(process.execPath, [VITEST, ...words], { cwd: ROOT, env, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.once('close', (code) => process.exit(code ?? 1));

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        waits: { type: 'boolean', default: false },
        rounds: { type: 'string', default: '50' },
        seed: { type: 'string', default: String(Math.ceil(Math.random() * 1e6)) },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    for (const name of ['rounds', 'seed']) {
      if (!/^[1-9]\d{0,8}$/.test(values[name])) refuse(`--${name} is a positive number, not ${values[name]}`);
    }
    return values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(reason) {
  console.error(`${reason}\n\n${USAGE}`);
  process.exit(2);
}
