import type { simulate } from '@metad/raft-core/simulation';
import { openFileStore } from './file-store.ts';
import { mutantNamed, withMutant } from './mutants/with-mutant.ts';
import { ENGINE } from './seed-pool.ts';

/** Runs one seed and prints its story; whether all is well. */
export async function showSeed(options: {
  readonly seed: number;
  readonly trace: boolean;
  readonly store: 'memory' | 'files';
  readonly ticks: number | null;
  readonly mutant: string | null;
}): Promise<boolean> {
  const { mutant } = options;
  if (mutant === null) return play(ENGINE, options);
  return withMutant(mutantNamed(mutant), (engine) => play(engine, options));
}

async function play(
  engine: string,
  { seed, trace, store, ticks }: Parameters<typeof showSeed>[0],
): Promise<boolean> {
  const simulation = (await import(engine)) as { readonly simulate: typeof simulate };
  const result = simulation.simulate({
    seed,
    trace,
    ...(store === 'files' ? { store: openFileStore } : {}),
    ...(ticks === null ? {} : { profile: { ticks } }),
  });
  for (const line of result.trace) process.stdout.write(`${line}\n`);
  process.stdout.write(
    result.failure === null ? `seed ${seed}: no violation\n` : `seed ${seed}: ${result.failure.message}\n`,
  );
  return result.failure === null;
}
