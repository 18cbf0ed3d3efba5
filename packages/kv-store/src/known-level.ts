import { MAX_FEATURE_LEVEL } from './feature-level.ts';
import { StoreError } from './store-error.ts';

/**
 * Refuses what a later release must go on from: guessing would make another state of the same log. `what` names it, and
 * how it came to its level.
 */
export function checkKnownLevel(level: number, what: string, advice: string): void {
  if (level <= MAX_FEATURE_LEVEL) return;
  const known = `this release knows feature levels up to ${MAX_FEATURE_LEVEL}`;
  throw new StoreError('newerFormat', `${what} feature level ${level}, but ${known}: ${advice}`);
}

/** For a node whose cluster has gone beyond it. */
export const UPGRADE_ADVICE =
  'start this node with the release that the other nodes run; a level that was raised never falls';
