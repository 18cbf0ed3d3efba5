import type { SimulationResult, simulate } from '@metad/raft-core/simulation';
import { openFileStore } from './file-store.ts';
import type { WorkerTask } from './seed-pool.ts';

/** Loads the simulator that a task names, the real one or a mutant, and gives what plays one seed with it. */
export async function loadEngine({
  engine,
  store,
  ticks,
}: WorkerTask): Promise<(seed: number, trace: boolean) => SimulationResult> {
  const simulation = (await import(engine)) as { readonly simulate: typeof simulate };
  return (seed, trace) =>
    simulation.simulate({
      seed,
      trace,
      ...(store === 'files' ? { store: openFileStore } : {}),
      ...(ticks === null ? {} : { profile: { ticks } }),
    });
}
