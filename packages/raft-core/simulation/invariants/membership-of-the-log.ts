import { compareLogId } from '@metad/raft-core';
import { type Invariant, Violation } from '../invariant.ts';

/** The membership in effect on a node is the last one in its log, committed or not (thesis §4.1). */
export function membershipOfTheLog(): Invariant {
  /** The disks on which the last membership may have become another one since it was looked at. */
  const touched = new Set<string>();
  const ends = new Map<string, number>();
  return {
    persisted({ instance, store }, entries) {
      const [first] = entries;
      if (first === undefined) return;
      const truncated = first.index <= (ends.get(instance) ?? 0);
      if (truncated || entries.some(({ payload }) => payload.type === 'membership')) touched.add(instance);
      ends.set(instance, store.lastLog.index);
    },
    installed: ({ instance }) => void touched.add(instance),
    moved({ node: { id, instance, store }, after }) {
      if (!touched.has(instance) || after.persisted < after.lastLog.index) return;
      if (compareLogId(store.lastLog, after.lastLog) !== 0) return;
      touched.delete(instance);
      const stored = store.initialState().memberships.at(-1);
      if (stored !== undefined && compareLogId(stored.logId, after.membership.logId) !== 0) {
        const { term, index } = stored.logId;
        throw new Violation(
          'membership of the log',
          `node ${id} believes another one than that of entry ${term}.${index}`,
        );
      }
    },
  };
}
