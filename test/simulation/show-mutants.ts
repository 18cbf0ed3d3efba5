import type { Mutant } from './mutants/mutant.ts';
import { MUTANTS } from './mutants/mutants.ts';
import { mutantNamed, withMutant } from './mutants/with-mutant.ts';
import { runSeeds } from './seed-pool.ts';
import { Tally } from './tally.ts';

/** Runs `seeds` seeds against each mutant and prints in how many it was caught, and by what; whether all were. */
export async function showMutants(options: {
  readonly seeds: number;
  readonly only: string | null;
}): Promise<boolean> {
  const { seeds, only } = options;
  const mutants = only === null ? MUTANTS : [mutantNamed(only)];
  const width = Math.max(...mutants.map(({ name }) => name.length));
  process.stdout.write(`${'mutant'.padEnd(width)}  caught of ${seeds}  first seed  by\n`);
  let survivors = 0;
  for (const mutant of mutants) {
    const { failures, caughtBy } = await tallyOf(mutant, seeds);
    if (failures.length === 0) survivors += 1;
    const first = failures[0]?.seed ?? 'SURVIVES';
    const by = [...caughtBy].sort(([, a], [, b]) => b - a).map(([check, count]) => `${check} ${count}`);
    process.stdout.write(
      `${mutant.name.padEnd(width)}  ${String(failures.length).padStart(9 + String(seeds).length)}  ${String(first).padStart(10)}  ${by.join(', ')}\n`,
    );
  }
  process.stdout.write(`${mutants.length - survivors} of ${mutants.length} mutants caught\n`);
  return survivors === 0;
}

async function tallyOf(mutant: Mutant, seeds: number) {
  const tally = new Tally();
  let next = 1;
  await withMutant(mutant, (engine) =>
    runSeeds(
      { engine, store: 'memory', ticks: null },
      () => (next > seeds ? null : next++),
      (result) => tally.add(result),
    ),
  );
  return { failures: tally.failures, caughtBy: tally.caughtBy() };
}
