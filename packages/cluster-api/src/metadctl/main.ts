import { StoreError } from '@metad/kv-store';
import { CommanderError } from 'commander';
import { reasonOf } from '../reason.ts';
import { CommandError } from './command-error.ts';
import { buildProgram } from './program.ts';

const FAILED_EXIT_CODE = 1;
const USAGE_EXIT_CODE = 2;

/** The `metadctl` command. Exit codes: 0 done, 1 failed or damaged, 2 not understood. */
export async function main(args: readonly string[]): Promise<void> {
  const interrupt = new AbortController();
  process.stdout.on('error', ignoreClosed);
  const program = buildProgram({
    print: (text) => process.stdout.write(`${text}\n`),
    interruption: () => onSignal(interrupt),
  });
  try {
    await program.parseAsync(args.map(withUnderscores), { from: 'user' });
  } catch (error) {
    process.exitCode = explain(error, interrupt.signal.aborted);
  }
}

/** Whoever reads the output may have seen enough; what the command does goes on. */
function ignoreClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

/** From now on a signal ends the command by way of its own code. */
function onSignal(interrupt: AbortController): AbortSignal {
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort());
  return interrupt.signal;
}

/** Prints why, on standard error, and returns the exit code. What nobody expected is thrown. */
function explain(error: unknown, isInterrupted: boolean): number {
  // Commander has printed it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
  if (isInterrupted) process.stderr.write('metadctl: interrupted\n');
  else if (error instanceof CommandError || error instanceof StoreError) {
    process.stderr.write(`metadctl: ${reasonOf(error)}\n`);
  } else throw error;
  return FAILED_EXIT_CODE;
}

/** Hyphens are as good as underscores, as they are for metad. */
function withUnderscores(word: string): string {
  const [, name, rest] = /^(--[a-z_-]+)(=.*)?$/s.exec(word) ?? [];
  if (name === undefined) return word;
  return `--${name.slice(2).replaceAll('-', '_')}${rest ?? ''}`;
}
