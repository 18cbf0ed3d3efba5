import { type MembershipResult, type ProposeResult, unreachable } from '@metad/raft-core';
import type { CallError } from './call.ts';

/** One sentence for people: what is wrong and, where there is something to do, what. */
export function explainCallError(error: CallError): string {
  switch (error.type) {
    case 'forwardToLeader':
      return error.leader === null ? 'no leader is known: try again' : `node ${error.leader} leads: ask it`;
    case 'overloaded':
      return 'too many writes are in flight: try again later';
    case 'tooLarge':
      return `the request is too large for one log entry (at most ${error.maxBytes} bytes)`;
    case 'stateFull':
      return `the state is full (max_state_size is ${error.maxBytes} bytes): delete something first, or raise that limit`;
    case 'stopping':
      return 'this node is stopping: ask another one';
    case 'inProgress':
      return `another change of membership (log index ${error.change.index}) is not committed yet: try again later`;
    case 'emptyMembership':
      return 'a cluster needs at least one voter';
    case 'learnerNotFound':
      return `node ${error.node} is no member: add it with /add-learner first`;
    case 'noLink':
    case 'conflict':
    case 'unreachable':
      return error.message;
    default:
      return unreachable(error);
  }
}

/** What a refusal of the core is to a caller. */
export function refusalOf(
  result: Exclude<ProposeResult | MembershipResult, { type: 'appended' }>,
): CallError {
  switch (result.type) {
    case 'notLeader':
      return { type: 'forwardToLeader', leader: result.leader };
    // The lead is about to move: whoever asks again finds the new leader.
    case 'transferring':
      return { type: 'forwardToLeader', leader: null };
    case 'learnerBehind':
      return { type: 'unreachable', message: `node ${result.node} does not catch up with the log` };
    case 'overloaded':
    case 'inProgress':
    case 'emptyMembership':
    case 'learnerNotFound':
    case 'conflict':
      return result;
    default:
      return unreachable(result);
  }
}
