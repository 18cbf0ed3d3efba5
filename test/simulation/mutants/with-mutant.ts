import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Mutant } from './mutant.ts';
import { MUTANTS } from './mutants.ts';
import { mutatedCore } from './mutated-core.ts';

/** Throws a RangeError that names all mutants when there is none of that name. */
export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (mutant === undefined) {
    throw new RangeError(
      `no mutant is called ${name}; there are ${MUTANTS.map((one) => one.name).join(', ')}`,
    );
  }
  return mutant;
}

/** Calls `act` with the URL of a simulator whose core has the bug; the copy is gone when it settles. */
export async function withMutant<T>(mutant: Mutant, act: (engine: string) => Promise<T>): Promise<T> {
  const { directory, dispose } = await mutatedCore(mutant);
  try {
    return await act(pathToFileURL(join(directory, 'simulation', 'dist', 'index.js')).href);
  } finally {
    await dispose();
  }
}
