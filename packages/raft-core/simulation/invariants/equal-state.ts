import type { LogIndex } from '@metad/raft-core';
import { type Invariant, type NodeView, Violation } from '../invariant.ts';

/** Wherever two nodes have applied the same index, they have the same state at the same version, and it never falls. */
export function equalState(): Invariant {
  const states = new Map<LogIndex, { readonly version: number; readonly digest: string }>();
  const versions = new Map<string, number>();

  function check({ id, instance, store }: NodeView): void {
    const { applied, version, digest } = store.state;
    const known = states.get(applied.index);
    if (known === undefined) states.set(applied.index, { version, digest });
    else if (known.version !== version || known.digest !== digest) {
      throw new Violation('equal state', `node ${id} differs from another one at index ${applied.index}`);
    }
    if (version < (versions.get(instance) ?? 0)) {
      throw new Violation('equal state', `the version of node ${id} falls to ${version}`);
    }
    versions.set(instance, version);
  }

  return {
    applied: check,
    installed: check,
    // A crash may have taken applied entries back, which the log then replays.
    started: ({ instance, store }) => void versions.set(instance, store.state.version),
  };
}
