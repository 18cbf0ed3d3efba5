import { compareLogId, maxTerm, previousTerm } from './ids.ts';
import type { RequestPreVote, RequestVote } from './message.ts';
import { becomeFollower } from './role.ts';
import { envelope, knownLeader, type RaftState, resetElectionTimer, sendPersisted } from './state.ts';

/*
 * Granting votes. Whether this node is a voter in the membership it knows does not matter (thesis §4.1): that may be
 * out of date, and the candidate counts only the voters of its own. But a node without any log grants nothing: it
 * cannot tell which cluster it will belong to, and may be an old voter's id on an empty disk.
 */

/** Says whether this node would vote so; promises nothing, changes nothing. */
export function handleRequestPreVote(state: RaftState, request: RequestPreVote): void {
  const granted = request.term > state.term && isUpToDate(state, request);
  sendPersisted(state, {
    ...envelope(state, request.from),
    type: 'requestPreVoteResponse',
    // A grant names the term asked about; a refusal comes in the asker's present term, or tells it of a later one.
    term: granted ? request.term : maxTerm(state.term, previousTerm(request.term)),
    granted,
  });
}

/** One vote per term, first come first served, for a candidate whose log is up to date (paper §5.2, §5.4.1). */
export function handleRequestVote(state: RaftState, request: RequestVote): void {
  const free = state.votedFor === null && knownLeader(state) === null;
  const granted = (free || state.votedFor === request.from) && isUpToDate(state, request);
  // Asked once more by the one who has the vote: the same answer, and no other election held up by it.
  if (granted && free) {
    state.votedFor = request.from;
    resetElectionTimer(state);
    // An own campaign would only compete with the one just voted for.
    if (state.role.type === 'preCandidate') becomeFollower(state, { term: state.term, leader: null });
  }
  sendPersisted(state, { ...envelope(state, request.from), type: 'requestVoteResponse', granted });
}

function isUpToDate({ log }: RaftState, { lastLog }: RequestPreVote | RequestVote): boolean {
  return log.last.index > 0 && compareLogId(lastLog, log.last) >= 0;
}
