import { expect } from 'vitest';
import type { Cluster } from './cluster.ts';

/** What must not change unless somebody changes it: what the nodes hold, and their term. */
export interface Observation {
  readonly content: ReadonlyMap<string, string>;
  readonly version: number;
  readonly term: number;
}

/** Looks at every running node once they have applied the same, and expects them to be alike. */
export async function observe(cluster: Cluster): Promise<Observation> {
  const ids = cluster.runningIds;
  await cluster.converged(ids);
  const observations = await Promise.all(
    ids.map(async (id) => ({
      content: await cluster.readAll(id),
      version: await cluster.version(id),
      term: (await cluster.metrics(id)).Ok.current_term,
    })),
  );
  const [first, ...others] = observations;
  if (first === undefined) throw new Error('no node runs');
  for (const other of others) expect(other).toEqual(first);
  return first;
}
