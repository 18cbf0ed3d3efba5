import { type Entry, type LogId, type Membership, type Message, unreachable } from '@metad/raft-core';
import { decodeWrite, describeWrite } from './write.ts';

/** One line that names everything that matters in a message, for traces. */
export function describeMessage(message: Message): string {
  return `→ n${message.to} ${message.type} t${message.term}${contentOf(message)}`;
}

function contentOf(message: Message): string {
  switch (message.type) {
    case 'requestPreVote':
      return ` last ${describeLogId(message.lastLog)}`;
    case 'requestVote':
      return ` last ${describeLogId(message.lastLog)}${message.transfer ? ' transfer' : ''}`;
    case 'requestPreVoteResponse':
    case 'requestVoteResponse':
      return message.granted ? ' granted' : ' refused';
    case 'appendEntries': {
      const { previous, entries, committed, round } = message;
      return ` after ${describeLogId(previous)} [${entries.map(describeEntry).join(', ')}] commit ${committed} round ${round}`;
    }
    case 'appendEntriesResponse': {
      const { result, round } = message;
      if (result.type === 'accepted') return ` matched ${result.matched} round ${round}`;
      return ` rejected ${result.rejected} hint ${describeLogId(result.hint)} round ${round}`;
    }
    case 'heartbeat':
      return ` commit ${message.committed} round ${message.round}`;
    case 'heartbeatResponse':
      return ` round ${message.round}`;
    case 'installSnapshot':
      return ` ${describeLogId(message.snapshot.last)} ${describeMembership(message.snapshot.membership)}`;
    case 'timeoutNow':
      return '';
    case 'readIndexRequest':
      return ` ${message.reads.length} reads`;
    case 'readIndexResponse':
      return ` ${message.reads.length} reads at ${message.index ?? 'none'}`;
    default:
      return unreachable(message);
  }
}

export function describeLogId({ term, index }: LogId): string {
  return `${term}.${index}`;
}

export function describeEntry(entry: Entry): string {
  const { payload } = entry;
  switch (payload.type) {
    case 'command':
      return `${describeLogId(entry)} ${describeCommand(payload.data)}`;
    case 'membership':
      return `${describeLogId(entry)} ${describeMembership(payload.membership)}`;
    case 'blank':
      return `${describeLogId(entry)} blank`;
  }
}

/** A store may have commands of its own; only those of the memory store are text. */
function describeCommand(data: Uint8Array): string {
  const [first = 0] = data;
  return first === 0x70 || first === 0x64 ? describeWrite(decodeWrite(data)) : `${data.length} bytes`;
}

export function describeMembership({ configs, nodes }: Membership): string {
  const voters = new Set(configs.flat());
  const learners = [...nodes.keys()].filter((node) => !voters.has(node));
  return `{${configs.join(' & ')}${learners.length > 0 ? ` + ${learners}` : ''}}`;
}
