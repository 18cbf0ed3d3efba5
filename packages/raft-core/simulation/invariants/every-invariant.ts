import type { Invariant } from '../invariant.ts';
import { acknowledgedOnDisk } from './acknowledged-on-disk.ts';
import type { CommittedLog } from './committed-log.ts';
import { committedOnQuorum } from './committed-on-quorum.ts';
import { electedByQuorum } from './elected-by-quorum.ts';
import { electionSafety } from './election-safety.ts';
import { equalState } from './equal-state.ts';
import { leaderAppendOnly } from './leader-append-only.ts';
import { leaderCompleteness } from './leader-completeness.ts';
import { leadsOn } from './leads-on.ts';
import { logMatching } from './log-matching.ts';
import { membershipOfTheLog } from './membership-of-the-log.ts';
import { oneVotePerTerm } from './one-vote-per-term.ts';
import { quorumOverlap } from './quorum-overlap.ts';
import { readsSeeCommits } from './reads-see-commits.ts';
import { stateMachineSafety } from './state-machine-safety.ts';
import { timelyCampaign } from './timely-campaign.ts';

/** All that must hold for a cluster at any moment; what must hold for a history of reads is linearizability.ts. */
export function everyInvariant(
  committed: CommittedLog,
  limits: { readonly electionTimeoutTicks: number },
): readonly Invariant[] {
  return [
    electionSafety(),
    leaderAppendOnly(),
    logMatching(),
    leaderCompleteness(committed),
    stateMachineSafety(committed),
    oneVotePerTerm(),
    acknowledgedOnDisk(),
    committedOnQuorum(),
    quorumOverlap(),
    equalState(),
    electedByQuorum(),
    leadsOn(),
    membershipOfTheLog(),
    readsSeeCommits(),
    timelyCampaign(limits),
  ];
}
