import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const BENCH = fileURLToPath(new URL('bench.mjs', import.meta.url));
const TINY = ['--scale', '0.001', '--seconds', '0.1', '--passes', '1'];
const LIMIT_MS = 180_000;

/** The first cells of the tables that each suite prints. */
const TABLES = {
  write: [
    'durable writes',
    'POST /write, to the leader',
    'the leader during PUT /v1/data: mean, ms',
    'times bare Node',
    'goal',
  ],
  read: ['reads', 'GET /self/node, JSON, a follower', 'linearizable, a learner', 'goal'],
  waits: ['10 requests held, nothing happens', 'one change answers 10', 'one change concerns one', 'goal'],
  tree: ['as the tree grows', 'restart of one node', 'a new learner', "the leader's writes", 'goal'],
  overwrites: ['overwrites; MB', 'the most of each'],
};

test.each(Object.entries(TABLES))(
  '%s: the tables come out, and nothing fails',
  async (suite, names) => {
    const { stdout } = await promisify(execFile)(process.execPath, [BENCH, suite, ...TINY], {
      timeout: LIMIT_MS,
    });
    const lines = stdout.split('\n');
    for (const name of names) expect(lines.some((line) => line.startsWith(name))).toBe(true);
    expect(stdout).not.toMatch(/first failure|NaN|undefined/);
  },
  LIMIT_MS,
);

test('what it does not know is answered with how to use it', () => {
  const run = (...args: string[]) => spawnSync(process.execPath, [BENCH, ...args], { encoding: 'utf8' });
  for (const args of [['faster'], ['--fast'], ['--scale', '2'], ['--seconds', 'x'], ['--passes', '1.5']]) {
    const { status, stderr } = run(...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^usage: npm run bench/m);
    expect(stderr).not.toMatch(/^ +at /m);
  }
  const { status, stdout } = run('--help');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^usage: npm run bench/);
});
