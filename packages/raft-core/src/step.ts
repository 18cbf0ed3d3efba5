import { assert, unreachable } from './assert.ts';
import { campaign, handlePreVoteResponse, handleVoteResponse } from './candidate.ts';
import { handleAppendEntries, handleHeartbeat, handleInstallSnapshot } from './follower.ts';
import { handleAppendEntriesResponse, handleHeartbeatResponse } from './leader.ts';
import type { Message } from './message.ts';
import { handleReadIndexRequest, handleReadIndexResponse, refuseReads } from './read-index.ts';
import { becomeFollower } from './role.ts';
import { envelope, hearsLeader, type RaftState, sendPersisted } from './state.ts';
import { handleRequestPreVote, handleRequestVote } from './vote.ts';

/** Applies one message: first what its term means for this node (paper §5.1), then what it says. */
export function step(state: RaftState, message: Message): void {
  assert(
    message.to === state.config.id,
    () => `a message for node ${message.to} reached node ${state.config.id}`,
  );
  assert(message.from !== state.config.id, 'no node writes to itself');
  if (message.term < state.term) {
    answerStale(state, message);
    return;
  }
  if (isDisturbance(state, message)) return;
  if (message.term > state.term) adoptHigherTerm(state, message);
  handle(state, message);
}

/**
 * A vote asked for while this node hears a leader, unless that leader has asked for the election itself; an answer
 * from a node that is out of this leader's membership, and may have campaigned in vain since.
 */
function isDisturbance(state: RaftState, message: Message): boolean {
  switch (message.type) {
    case 'requestPreVote':
      return message.term > state.term && hearsLeader(state);
    case 'requestVote':
      return message.term > state.term && !message.transfer && hearsLeader(state);
    case 'appendEntriesResponse':
    case 'heartbeatResponse':
      return state.role.type === 'leader' && !state.role.peers.has(message.from);
    default:
      return false;
  }
}

function adoptHigherTerm(state: RaftState, message: Message): void {
  const { term, from } = message;
  switch (message.type) {
    case 'requestPreVote':
      // Nobody campaigns in that term yet.
      return;
    case 'requestPreVoteResponse':
      // A grant names the term that the own campaign would have; a refusal, one that exists.
      if (!message.granted) becomeFollower(state, { term, leader: null });
      return;
    case 'appendEntries':
    case 'heartbeat':
    case 'installSnapshot':
    case 'timeoutNow':
      becomeFollower(state, { term, leader: from });
      return;
    case 'requestVote':
    case 'requestVoteResponse':
    case 'appendEntriesResponse':
    case 'heartbeatResponse':
    case 'readIndexRequest':
    case 'readIndexResponse':
      becomeFollower(state, { term, leader: null });
      return;
    default:
      unreachable(message);
  }
}

/** Tells the sender that its term is over, where it would go on otherwise. */
function answerStale(state: RaftState, message: Message): void {
  const { from } = message;
  switch (message.type) {
    case 'requestPreVote':
      sendPersisted(state, { ...envelope(state, from), type: 'requestPreVoteResponse', granted: false });
      return;
    case 'requestVote':
      sendPersisted(state, { ...envelope(state, from), type: 'requestVoteResponse', granted: false });
      return;
    case 'appendEntries':
    case 'heartbeat':
    case 'installSnapshot':
      // Not its round: should the sender lead this later term by now, that would count for another round of its own.
      sendPersisted(state, { ...envelope(state, from), type: 'heartbeatResponse', round: 0 });
      return;
    case 'readIndexRequest':
      refuseReads(state, { to: from, reads: message.reads });
      return;
    case 'requestPreVoteResponse':
    case 'requestVoteResponse':
    case 'appendEntriesResponse':
    case 'heartbeatResponse':
    case 'timeoutNow':
    case 'readIndexResponse':
      return;
    default:
      unreachable(message);
  }
}

function handle(state: RaftState, message: Message): void {
  const { role } = state;
  switch (message.type) {
    case 'requestPreVote':
      handleRequestPreVote(state, message);
      return;
    case 'requestPreVoteResponse':
      handlePreVoteResponse(state, message);
      return;
    case 'requestVote':
      handleRequestVote(state, message);
      return;
    case 'requestVoteResponse':
      handleVoteResponse(state, message);
      return;
    case 'appendEntries':
      handleAppendEntries(state, message);
      return;
    case 'appendEntriesResponse':
      if (role.type === 'leader') handleAppendEntriesResponse(state, role, message);
      return;
    case 'heartbeat':
      handleHeartbeat(state, message);
      return;
    case 'heartbeatResponse':
      if (role.type === 'leader') handleHeartbeatResponse(state, role, message);
      return;
    case 'installSnapshot':
      handleInstallSnapshot(state, message);
      return;
    case 'timeoutNow':
      // Without a pre-vote, and over everyone's hearing of a leader: this leader wants to be replaced.
      if (role.type === 'follower') campaign(state, { transfer: true });
      return;
    case 'readIndexRequest':
      handleReadIndexRequest(state, message);
      return;
    case 'readIndexResponse':
      handleReadIndexResponse(state, message);
      return;
    default:
      unreachable(message);
  }
}
