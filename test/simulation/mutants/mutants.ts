import { ELECTION_MUTANTS } from './election-mutants.ts';
import { FLOW_MUTANTS } from './flow-mutants.ts';
import { LOG_MUTANTS } from './log-mutants.ts';
import { MEMBERSHIP_MUTANTS } from './membership-mutants.ts';
import type { Mutant } from './mutant.ts';
import { READ_MUTANTS } from './read-mutants.ts';

/** Every known bug that the simulator has to notice, each by a name of its own. */
export const MUTANTS: readonly Mutant[] = [
  ...ELECTION_MUTANTS,
  ...LOG_MUTANTS,
  ...READ_MUTANTS,
  ...MEMBERSHIP_MUTANTS,
  ...FLOW_MUTANTS,
];
