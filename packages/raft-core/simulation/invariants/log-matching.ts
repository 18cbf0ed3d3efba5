import type { Entry, Payload, Term } from '@metad/raft-core';
import { type Invariant, Violation } from '../invariant.ts';

/**
 * If two logs contain an entry with the same index and term, then the logs are identical in all entries up through it
 * (paper, figure 3): by induction, the entry is the same and so is the term of the one before.
 */
export function logMatching(): Invariant {
  const known = new Map<string, { readonly payload: Payload; readonly previous: Term }>();
  return {
    persisted({ id, store }, entries) {
      const [first] = entries;
      if (first === undefined) return;
      let previous = termBefore(first, store);
      for (const entry of entries) {
        const name = `${entry.term}.${entry.index}`;
        const other = known.get(name);
        if (other === undefined) known.set(name, { payload: entry.payload, previous });
        else if (other.previous !== previous || !isSamePayload(other.payload, entry.payload)) {
          throw new Violation('log matching', `entry ${name} on node ${id} is not what it is elsewhere`);
        }
        previous = entry.term;
      }
    },
  };
}

function termBefore(
  { index }: Entry,
  { log, compacted }: Parameters<NonNullable<Invariant['persisted']>>[0]['store'],
) {
  const before = index - 1 === compacted.index ? compacted : log.logId((index - 1) as typeof index);
  if (before === undefined) throw new Violation('log matching', `nothing is before entry ${index}`);
  return before.term;
}

function isSamePayload(one: Payload, other: Payload): boolean {
  if (one === other) return true;
  if (one.type === 'command' && other.type === 'command') {
    return one.data.length === other.data.length && one.data.every((byte, i) => byte === other.data[i]);
  }
  if (one.type === 'membership' && other.type === 'membership') {
    const [a, b] = [one.membership, other.membership];
    return (
      String([a.configs.join(';'), ...a.nodes.keys()]) === String([b.configs.join(';'), ...b.nodes.keys()])
    );
  }
  return one.type === other.type;
}
