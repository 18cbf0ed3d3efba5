import { fileURLToPath } from 'node:url';
import { ScriptProcess } from './script-process.ts';

const METADCTL = fileURLToPath(new URL('../../packages/cluster-api/bin/metadctl.js', import.meta.url));

export interface Ran {
  readonly code: number | null;
  /** Standard output and standard error. */
  readonly output: string;
}

/** Runs one `metadctl` command to its end. */
export async function metadctl(...args: readonly string[]): Promise<Ran> {
  const process = new ScriptProcess(METADCTL, args);
  const { code } = await process.exited;
  return { code, output: process.log };
}

/** Throws with what it said unless the command succeeds. */
export async function metadctlOk(...args: readonly string[]): Promise<string> {
  const { code, output } = await metadctl(...args);
  if (code !== 0) throw new Error(`metadctl ${args.join(' ')} ended with ${code}: ${output}`);
  return output;
}

/** What must be true of every command that fails: exit code 1 and one line that says why. */
export async function metadctlFailure(...args: readonly string[]): Promise<string> {
  const { code, output } = await metadctl(...args);
  if (code !== 1 || !/^metadctl: .+\n$/.test(output)) {
    throw new Error(`metadctl ${args.join(' ')} ended with ${code}, not with one line and 1: ${output}`);
  }
  return output;
}
