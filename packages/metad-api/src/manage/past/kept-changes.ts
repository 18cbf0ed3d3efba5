import type { HistoryChange, StateView, Version } from '@metad/kv-store';
import type { Problem } from '../../http/problem.ts';
import { LOOK_LEAVES, StepMeter, type Steps } from '../../steps.ts';
import { charactersIn, entriesOf } from './history-entries.ts';

/** Goes through all changes after a version; the problem with that when they are not all kept, null when they are. */
export function* visitChangesAfter(
  view: StateView,
  since: Version,
  visit: (changedAt: Version, change: HistoryChange) => void,
): Steps<Problem | null> {
  const start = view.historyStart();
  if (start > since) return noLongerKept(since, start);
  const meter = new StepMeter();
  for (const { version, changes } of entriesOf(view)) {
    if (version <= since) return null;
    // A change that was too large to be kept hides all that was before it.
    if (changes === null) return hiddenBy(version, since);
    if (meter.isFullWith(LOOK_LEAVES, 0)) yield;
    for (const change of changes) {
      visit(version, change);
      if (meter.isFullWith(1, charactersIn(change))) yield;
    }
  }
  return null;
}

function hiddenBy(tooLarge: Version, version: Version): Problem {
  return {
    status: 410,
    message:
      `version ${version} can't be had: the change of version ${tooLarge} was too large to be kept; ` +
      `the oldest that can be asked for is ${tooLarge}`,
  };
}

function noLongerKept(version: Version, oldest: Version): Problem {
  return {
    status: 410,
    message: `version ${version} is no longer kept: the oldest that can be asked for is ${oldest}`,
  };
}
