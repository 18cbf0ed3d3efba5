import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { MUTANTS } from './mutants/mutants.ts';

/** The seeds that a known bug may survive. Most are caught within the first ten. */
const BUDGET = 1500;

test(`each known bug is caught within ${BUDGET} seeds`, { timeout: 1_200_000 }, async () => {
  const command = new URL('./dist/main.js', import.meta.url).pathname;
  const args = [command, '--mutants', '--until-caught', '--seeds', String(BUDGET)];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  expect(stderr).toBe('');
  expect(stdout.split('\n').filter((line) => line.includes('SURVIVES'))).toEqual([]);
  expect(stdout).toContain(`${MUTANTS.length} of ${MUTANTS.length} mutants caught`);
});
