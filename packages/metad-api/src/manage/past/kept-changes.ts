import type { HistoryChange, StateView, Version } from '@metad/kv-store';
import { type Checked, ok, type Problem, refuse } from '../../http/problem.ts';
import type { ChangeFeed } from '../../wait/change-feed.ts';
import { walkHistory } from './history-walk.ts';

/** Goes through all changes after a version, and then looks at the present: both belong together. */
export async function readChangesAfter<T>(
  feed: ChangeFeed,
  since: Version,
  reading: {
    readonly visit: (changedAt: Version, change: HistoryChange) => void;
    readonly finish: (view: StateView) => T;
  },
): Promise<Checked<T>> {
  const tooLarge: Version[] = [];
  const outcome = await walkHistory(feed, {
    floor: since,
    visit({ version, changes }) {
      if (version <= since) return false;
      if (changes === null) tooLarge.push(version);
      for (const change of changes ?? []) reading.visit(version, change);
      return changes !== null;
    },
    finish: reading.finish,
  });
  // A change that was too large to be kept hides all that was before it.
  if (tooLarge.length > 0) return refuse(noLongerKept(since, Math.max(...tooLarge)));
  return outcome.type === 'gone' ? refuse(noLongerKept(since, outcome.oldest)) : ok(outcome.value);
}

function noLongerKept(version: Version, oldest: number): Problem {
  return {
    status: 410,
    message: `version ${version} is no longer kept: the oldest that can be asked for is ${oldest}`,
  };
}
