import { mutantNamed, withMutant } from './mutants/with-mutant.ts';
import { loadEngine } from './play-seed.ts';
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
  if (mutant === null) return show(ENGINE, options);
  return withMutant(mutantNamed(mutant), (engine) => show(engine, options));
}

async function show(
  engine: string,
  { seed, trace, store, ticks }: Parameters<typeof showSeed>[0],
): Promise<boolean> {
  const play = await loadEngine({ engine, store, ticks });
  const result = play(seed, trace);
  for (const line of result.trace) process.stdout.write(`${line}\n`);
  process.stdout.write(
    result.failure === null ? `seed ${seed}: no violation\n` : `seed ${seed}: ${result.failure.message}\n`,
  );
  return result.failure === null;
}
