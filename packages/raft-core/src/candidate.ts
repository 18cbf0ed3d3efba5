import { assert } from './assert.ts';
import { type NodeId, nextTerm } from './ids.ts';
import { becomeLeader } from './leader.ts';
import { voters } from './membership.ts';
import type { RequestPreVoteResponse, RequestVoteResponse } from './message.ts';
import { type VoteResult, voteResult } from './quorum.ts';
import { adoptTerm, becomeFollower, changeRole } from './role.ts';
import {
  type CandidateState,
  effectiveMembership,
  envelope,
  mayCampaign,
  type PreCandidateState,
  type RaftState,
  resetElectionTimer,
  sendPersisted,
} from './state.ts';

/**
 * Asks whether an election could be won before it raises any term, so that a node that was cut off, or removed,
 * disturbs nobody (thesis §9.6).
 */
export function preCampaign(state: RaftState): void {
  if (state.role.type === 'leader' || !mayCampaign(state)) return;
  resetElectionTimer(state);
  const preCandidate: PreCandidateState = { type: 'preCandidate', votes: new Map([[state.config.id, true]]) };
  changeRole(state, preCandidate);
  for (const to of otherVoters(state)) {
    sendPersisted(state, {
      from: state.config.id,
      to,
      term: nextTerm(state.term),
      type: 'requestPreVote',
      lastLog: state.log.last,
    });
  }
  conclude(state, preCandidate);
}

/** Starts the election itself; `transfer` when the leader has asked for it. */
export function campaign(state: RaftState, { transfer }: { readonly transfer: boolean }): void {
  if (state.role.type === 'leader' || !mayCampaign(state)) return;
  adoptTerm(state, nextTerm(state.term));
  state.votedFor = state.config.id;
  resetElectionTimer(state);
  changeRole(state, { type: 'candidate', votes: new Map() });
  for (const to of otherVoters(state)) {
    sendPersisted(state, { ...envelope(state, to), type: 'requestVote', lastLog: state.log.last, transfer });
  }
}

function otherVoters(state: RaftState): NodeId[] {
  return [...voters(effectiveMembership(state))].filter((node) => node !== state.config.id);
}

/** The own vote counts like any other: once it is on disk. */
export function countOwnVote(state: RaftState): void {
  const { role, persisted, config } = state;
  if (role.type !== 'candidate' || role.votes.has(config.id)) return;
  if (persisted.term !== state.term || persisted.votedFor !== config.id) return;
  role.votes.set(config.id, true);
  conclude(state, role);
}

export function handlePreVoteResponse(state: RaftState, response: RequestPreVoteResponse): void {
  const { role } = state;
  if (role.type !== 'preCandidate') return;
  // A grant is for the term that would follow; one for another campaign says nothing about this one.
  if (response.granted && response.term !== nextTerm(state.term)) return;
  castVote(state, role, response);
}

export function handleVoteResponse(state: RaftState, response: RequestVoteResponse): void {
  const { role } = state;
  if (role.type !== 'candidate') return;
  assert(response.term === state.term, 'a vote counts in its own term only');
  castVote(state, role, response);
}

/** A refusal that is late, or meant an earlier request, takes no granted vote back. */
function castVote(
  state: RaftState,
  candidate: PreCandidateState | CandidateState,
  { from, granted }: RequestPreVoteResponse | RequestVoteResponse,
): void {
  if (candidate.votes.get(from) === true) return;
  candidate.votes.set(from, granted);
  conclude(state, candidate);
}

function conclude(state: RaftState, candidate: PreCandidateState | CandidateState): void {
  const { configs } = effectiveMembership(state);
  const result: VoteResult = voteResult(configs, (node) => candidate.votes.get(node));
  if (result === 'lost') becomeFollower(state, { term: state.term, leader: null });
  if (result !== 'won') return;
  if (candidate.type === 'preCandidate') campaign(state, { transfer: false });
  else becomeLeader(state);
}
