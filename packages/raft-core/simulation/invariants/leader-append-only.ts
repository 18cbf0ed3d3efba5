import type { Term } from '@metad/raft-core';
import { type Invariant, Violation } from '../invariant.ts';

/** A leader never overwrites or deletes entries in its log; it only appends new entries (paper, figure 3). */
export function leaderAppendOnly(): Invariant {
  /** In which term the node on a disk leads, and how far the log there has come meanwhile. */
  const leading = new Map<string, { readonly term: Term; persisted: number }>();
  return {
    moved({ node: { id, instance }, before, after }) {
      if (after.role !== 'leader') leading.delete(instance);
      else if (leading.get(instance)?.term !== after.term) {
        leading.set(instance, { term: after.term, persisted: before.persisted });
      }
      if (before.role !== 'leader' || after.role !== 'leader' || before.term !== after.term) return;
      if (after.lastLog.index < before.lastLog.index) {
        throw new Violation('leader append-only', `leader ${id} of term ${after.term} truncated its log`);
      }
    },
    persisted({ id, instance }, entries) {
      const leader = leading.get(instance);
      const [first] = entries;
      if (leader === undefined || first === undefined) return;
      // What it took over as a follower may still have been on its way to the disk when it was elected.
      if (first.term === leader.term && first.index <= leader.persisted) {
        throw new Violation('leader append-only', `leader ${id} wrote over entry ${first.index}`);
      }
      leader.persisted = Math.max(leader.persisted, entries.at(-1)?.index ?? 0);
    },
  };
}
