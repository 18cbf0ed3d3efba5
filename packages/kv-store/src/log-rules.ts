import { assert, type Entry, type HardState, type LogId } from '@metad/raft-core';

/** What must hold whenever a hard state replaces another; `synced` tells whether the write will be synced. */
export function checkHardState(before: HardState, after: HardState, synced: boolean): void {
  const sameVote = after.votedFor === before.votedFor;
  assert(after.term >= before.term, 'the term never decreases');
  assert(after.committed >= before.committed, 'the commit index never decreases');
  if (after.term === before.term)
    assert(sameVote || before.votedFor === null, 'one vote in a term (paper §5.2)');
  if (!synced) assert(after.term === before.term && sameVote, 'a term or a vote must be synced');
}

/** What must hold for entries that are to stand behind `previous`, which is undefined when the log has no such entry. */
export function checkEntries(
  entries: readonly Entry[],
  previous: LogId | undefined,
  committed: number,
): void {
  const [first] = entries;
  if (first === undefined) return;
  assert(previous !== undefined, () => `entry ${first.index} would leave a gap in the log`);
  assert(first.index > committed, () => `entry ${first.index} is committed and never replaced`);
  let last = previous;
  for (const entry of entries) {
    assert(entry.index === last.index + 1, () => `entry ${entry.index} does not follow ${last.index}`);
    assert(entry.term >= last.term, 'terms never decrease along the log');
    last = entry;
  }
}
