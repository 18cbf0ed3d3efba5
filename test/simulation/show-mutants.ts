import type { Mutant } from './mutants/mutant.ts';
import { MUTANTS } from './mutants/mutants.ts';
import { mutantNamed, withMutant } from './mutants/with-mutant.ts';
import { runSeeds } from './seed-pool.ts';
import { Tally } from './tally.ts';

export interface MutantRun {
  /** So many seeds at most. */
  readonly seeds: number;
  /** One of them only, when not null. */
  readonly only: string | null;
  /** Ends the run of each mutant with the first seed that catches it. */
  readonly untilCaught: boolean;
}

/** Runs seeds against each mutant and prints in how many it was caught, and by what; whether all were. */
export async function showMutants(run: MutantRun): Promise<boolean> {
  const mutants = run.only === null ? MUTANTS : [mutantNamed(run.only)];
  const width = Math.max(...mutants.map(({ name }) => name.length));
  say(`${'mutant'.padEnd(width)}  ${'caught'.padStart(13)}  first seed  by`);
  let survivors = 0;
  for (const mutant of mutants) {
    const { seeds, failures, caughtBy } = await tallyOf(mutant, run);
    if (failures.length === 0) survivors += 1;
    const caught = `${failures.length} of ${seeds}`.padStart(13);
    const first = String(failures[0]?.seed ?? 'SURVIVES').padStart(10);
    const by = [...caughtBy].sort(([, a], [, b]) => b - a).map(([check, count]) => `${check} ${count}`);
    say(`${mutant.name.padEnd(width)}  ${caught}  ${first}  ${by.join(', ')}`);
  }
  say(`${mutants.length - survivors} of ${mutants.length} mutants caught`);
  return survivors === 0;
}

async function tallyOf(mutant: Mutant, { seeds, untilCaught }: MutantRun) {
  const tally = new Tally();
  let next = 1;
  await withMutant(mutant, (engine) =>
    runSeeds(
      { engine, store: 'memory', ticks: null },
      () => (next > seeds || (untilCaught && tally.failures.length > 0) ? null : next++),
      (result) => tally.add(result),
    ),
  );
  return { seeds: tally.seeds, failures: tally.failures, caughtBy: tally.caughtBy() };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
