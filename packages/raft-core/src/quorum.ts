import type { NodeId } from './ids.ts';

/** One config, or two while a change of voters is under way; a decision needs a majority of each. */
export type Configs = readonly (readonly NodeId[])[];

export type VoteResult = 'won' | 'lost' | 'pending';

export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * The highest value that a majority of every config has reached. Serves log indexes (the commit rule, paper §5.3) and
 * rounds of contact alike. Infinity when there are no voters: nobody is left to wait for.
 */
export function reachedByQuorum(configs: Configs, reached: (node: NodeId) => number): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (const config of configs) lowest = Math.min(lowest, reachedByMajority(config, reached));
  return lowest;
}

function reachedByMajority(config: readonly NodeId[], reached: (node: NodeId) => number): number {
  const descending: number[] = [];
  for (const node of config) insertDescending(descending, reached(node));
  return descending[majority(config.length) - 1] ?? Number.POSITIVE_INFINITY;
}

/** For a handful of voters, and for every answer of each: Array.sort would cost more than the rest of the answer. */
function insertDescending(values: number[], value: number): void {
  let at = values.length;
  for (let before = values[at - 1]; before !== undefined && before < value; before = values[at - 1]) {
    values[at] = before;
    at -= 1;
  }
  values[at] = value;
}

/** Pending while the missing votes could still turn it. No voters: won. */
export function voteResult(configs: Configs, vote: (node: NodeId) => boolean | undefined): VoteResult {
  let result: VoteResult = 'won';
  for (const config of configs) {
    const one = majorityVote(config, vote);
    if (one === 'lost') return 'lost';
    if (one === 'pending') result = 'pending';
  }
  return result;
}

function majorityVote(config: readonly NodeId[], vote: (node: NodeId) => boolean | undefined): VoteResult {
  if (config.length === 0) return 'won';
  let granted = 0;
  let missing = 0;
  for (const node of config) {
    const answer = vote(node);
    if (answer === undefined) missing += 1;
    else if (answer) granted += 1;
  }
  const needed = majority(config.length);
  if (granted >= needed) return 'won';
  return granted + missing >= needed ? 'pending' : 'lost';
}
