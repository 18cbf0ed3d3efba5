import { basename, join } from 'node:path';
import { databasesIn, removeDatabase } from './durable-file.ts';

/** The state's file of a generation; log.db says which generation is the state. */
export function stateFileName(generation: number): string {
  return generation === 1 ? 'state.db' : `state-${generation}.db`;
}

/** The state files in a data directory, whole or not, by generation. */
export function stateGenerations(dataDir: string): number[] {
  return databasesIn(dataDir).flatMap((file) => {
    const generation = Number(/^state(?:-(\d+))?\.db$/.exec(basename(file))?.[1] ?? 1);
    return stateFileName(generation) === basename(file) ? [generation] : [];
  });
}

/** Removes what snapshots have replaced, and what an install left that did not get to its end. */
export function removeStatesExcept(dataDir: string, current: number): void {
  for (const generation of stateGenerations(dataDir)) {
    if (generation !== current) removeDatabase(join(dataDir, stateFileName(generation)));
  }
}
