import type { Entry } from '../../src/entry.ts';
import type { LogId, NodeId } from '../../src/ids.ts';
import type { ProposeResult } from '../../src/leader.ts';
import type { Membership } from '../../src/membership.ts';
import type { MembershipResult } from '../../src/membership-change.ts';
import type { Message } from '../../src/message.ts';
import type { HardState, Ready } from '../../src/ready.ts';
import type { PeerStatus, RaftStatus } from '../../src/status.ts';
import type { TransferResult } from '../../src/transfer.ts';

/* How a trace names things, one line each. */

export const nodeText = (node: NodeId): string => `n${node}`;

export const logIdText = ({ term, index }: LogId): string => `${term}.${index}`;

export const nodesText = (nodes: Iterable<NodeId>): string => [...nodes].map(nodeText).join(' ');

/** `voters n1 n2 n3 + n1 n2 n4, learners n5`: a joint membership has two configs. */
export function membershipText({ configs, nodes }: Membership): string {
  if (configs.length === 0) return 'no membership';
  const learners = [...nodes.keys()].filter((node) => !configs.flat().includes(node));
  const voters = `voters ${configs.map(nodesText).join(' + ')}`;
  return learners.length === 0 ? voters : `${voters}, learners ${nodesText(learners)}`;
}

/** `2.3 "a"`; only `2.3` for a command that says no more than its place. */
export function entryText(entry: Entry): string {
  const { payload } = entry;
  switch (payload.type) {
    case 'command': {
      const text = new TextDecoder().decode(payload.data);
      return text === logIdText(entry) ? text : `${logIdText(entry)} "${text}"`;
    }
    case 'membership':
      return `${logIdText(entry)} (${membershipText(payload.membership)})`;
    case 'blank':
      return `${logIdText(entry)} blank`;
  }
}

export const entriesText = (entries: readonly Entry[]): string => entries.map(entryText).join(', ');

/** `n1 → n2  heartbeat term 2, committed 1, round 3` */
export function messageText(message: Message, arrow = '→'): string {
  const { from, to, type, term } = message;
  return `${nodeText(from)} ${arrow} ${nodeText(to)}  ${type} ${[`term ${term}`, ...contentOf(message)].join(', ')}`;
}

function contentOf(message: Message): string[] {
  switch (message.type) {
    case 'requestPreVote':
      return [`last log ${logIdText(message.lastLog)}`];
    case 'requestVote':
      return [`last log ${logIdText(message.lastLog)}`, ...(message.transfer ? ['transfer'] : [])];
    case 'requestPreVoteResponse':
    case 'requestVoteResponse':
      return [message.granted ? 'granted' : 'refused'];
    case 'appendEntries': {
      const { previous, entries, committed, round } = message;
      return [
        `previous ${logIdText(previous)}`,
        `[${entriesText(entries)}]`,
        `committed ${committed}`,
        `round ${round}`,
      ];
    }
    case 'appendEntriesResponse': {
      const { result, round } = message;
      if (result.type === 'accepted') return [`accepted, matched ${result.matched}`, `round ${round}`];
      return [`rejected ${result.rejected}, hint ${logIdText(result.hint)}`, `round ${round}`];
    }
    case 'heartbeat':
      return [`committed ${message.committed}`, `round ${message.round}`];
    case 'heartbeatResponse':
      return [`round ${message.round}`];
    case 'installSnapshot': {
      const { last, membership } = message.snapshot;
      return [`snapshot ${logIdText(last)} (${membershipText(membership)})`, `round ${message.round}`];
    }
    case 'timeoutNow':
      return [];
    case 'readIndexRequest':
      return [`reads ${message.reads.join(' ')}`];
    case 'readIndexResponse':
      return [`reads ${message.reads.join(' ')}`, message.index === null ? 'refused' : `at ${message.index}`];
  }
}

/** What is in a Ready, by the parts a driver does one after the other. */
export function readyText({
  early,
  snapshot,
  entries,
  hardState,
  messages,
  committed,
  ...rest
}: Ready): string {
  const persists = snapshot !== null || entries.length > 0 || hardState !== null;
  const parts = [
    early.length > 0 ? `early ${early.length}` : '',
    persists ? `persist${rest.mustSync ? ' and sync' : ''}` : '',
    messages.length > 0 ? `send ${messages.length}` : '',
    committed.length > 0 ? `apply ${committed.length}` : '',
    rest.reads.length > 0 ? `answer ${rest.reads.length}` : '',
    rest.droppedReads.length > 0 ? `drop ${rest.droppedReads.length}` : '',
  ];
  return parts.filter((part) => part !== '').join(', ') || 'nothing to do';
}

/** What a Ready changes of what is on disk; undefined when it writes nothing. */
export function writeText(
  { snapshot, entries, hardState, mustSync }: Ready,
  disk: { readonly hardState: HardState; readonly last: LogId },
): string | undefined {
  const parts: string[] = [];
  if (snapshot !== null) {
    parts.push(`snapshot ${logIdText(snapshot.last)} (${membershipText(snapshot.membership)})`);
  }
  const [first] = entries;
  if (first !== undefined) {
    const { index } = disk.last;
    const replaced =
      snapshot === null && first.index <= index ? ` in place of ${first.index} to ${index}` : '';
    parts.push(`[${entriesText(entries)}]${replaced}`);
  }
  if (hardState !== null) parts.push(...hardStateChanges(disk.hardState, hardState));
  if (parts.length === 0) return undefined;
  return parts.join(', ') + (mustSync ? '' : ' (not synced)');
}

function hardStateChanges(before: HardState, { term, votedFor, committed }: HardState): string[] {
  const changes: string[] = [];
  if (term !== before.term || votedFor !== before.votedFor) {
    changes.push(`term ${term}`, votedFor === null ? 'no vote' : `vote ${nodeText(votedFor)}`);
  }
  if (committed !== before.committed) changes.push(`committed ${committed}`);
  return changes;
}

/** What nodes begin with; those that begin alike share a line. */
export function startTexts(started: readonly RaftStatus[]): string[] {
  return grouped(started, ({ term, lastLog, committed, membership }) => {
    const log = lastLog.index === 0 ? 'empty log' : `log to ${logIdText(lastLog)}, committed ${committed}`;
    return `started: term ${term}, ${log}, ${membershipText(membership.membership)}`;
  });
}

/** A line for each text, behind the names of all nodes with that text. */
export function grouped<T extends { readonly id: NodeId }>(
  nodes: readonly T[],
  text: (node: T) => string,
): string[] {
  const groups = new Map<string, NodeId[]>();
  for (const node of nodes) groups.set(text(node), [...(groups.get(text(node)) ?? []), node.id]);
  return [...groups].map(([line, ids]) => `${nodesText(ids)} ${line}`);
}

export function leaderText({ id, term, lastLog, committed }: RaftStatus): string {
  return `${nodeText(id)} leads term ${term}, log to ${logIdText(lastLog)}, committed ${committed}`;
}

/** What came of a proposal, a change or a transfer. */
export function resultText(result: ProposeResult | MembershipResult | TransferResult): string {
  switch (result.type) {
    case 'appended':
      return `appends ${logIdText(result.logId)}`;
    case 'started':
      return `starts the transfer to ${nodeText(result.to)}`;
    case 'notLeader':
      return `refuses: notLeader, leader ${result.leader === null ? 'unknown' : nodeText(result.leader)}`;
    case 'inProgress':
      return `refuses: inProgress, ${logIdText(result.change)} first`;
    case 'learnerBehind':
    case 'learnerNotFound':
      return `refuses: ${result.type}, ${nodeText(result.node)}`;
    case 'conflict':
      return `refuses: conflict, ${result.message}`;
    case 'overloaded':
    case 'transferring':
    case 'emptyMembership':
    case 'noTarget':
      return `refuses: ${result.type}`;
  }
}

/** One node's view: a line, and one per peer on a leader. */
export function statusText(status: RaftStatus): string[] {
  const { id, term, votedFor, lastLog, persisted, committed, applied, compacted, membership } = status;
  const parts = [
    `${nodeText(id)} ${roleText(status)}, term ${term}`,
    votedFor === null ? 'no vote' : `vote ${nodeText(votedFor)}`,
    `log ${compacted.index > 0 ? `${logIdText(compacted)} to ` : ''}${logIdText(lastLog)}`,
    `persisted ${persisted}`,
    `committed ${committed}`,
    `applied ${applied}`,
    membershipText(membership.membership),
  ];
  const peers = [...status.peers].filter(([node]) => node !== id);
  return [parts.join(', '), ...peers.map(([node, peer]) => `   ${nodeText(node)} ${peerText(peer)}`)];
}

function peerText({ state, matched, next }: PeerStatus): string {
  return `${state}, matched ${matched}, next ${next}`;
}

function roleText({ role, leader }: RaftStatus): string {
  if (role !== 'follower' && role !== 'learner') return role;
  return `${role} of ${leader === null ? 'nobody' : nodeText(leader)}`;
}

/** What one input changed, as far as others would notice: empty when nothing did. */
export function changesText(before: RaftStatus, after: RaftStatus): string {
  const changes: string[] = [];
  if (roleText(before) !== roleText(after) || before.term !== after.term) {
    changes.push(`becomes ${roleText(after)}, term ${after.term}`);
  }
  const voted = after.votedFor !== before.votedFor || after.term !== before.term;
  if (voted && after.votedFor !== null) {
    changes.push(`votes for ${nodeText(after.votedFor)}`);
  }
  if (after.committed !== before.committed) changes.push(`commits ${after.committed}`);
  if (membershipText(before.membership.membership) !== membershipText(after.membership.membership)) {
    changes.push(`uses ${membershipText(after.membership.membership)}`);
  }
  if (before.role === 'leader' && after.role === 'leader') changes.push(...leadingChanges(before, after));
  return changes.join('; ');
}

function leadingChanges(before: RaftStatus, after: RaftStatus): string[] {
  const changes: string[] = [];
  if (before.transferTo !== after.transferTo) {
    changes.push(
      after.transferTo === null ? 'gives up the transfer' : `hands over to ${nodeText(after.transferTo)}`,
    );
  }
  for (const node of new Set([...before.peers.keys(), ...after.peers.keys()])) {
    const was = before.peers.get(node)?.state;
    const is = after.peers.get(node)?.state;
    if (was === undefined) changes.push(`begins to feed ${nodeText(node)}`);
    else if (is === undefined) changes.push(`forgets ${nodeText(node)}`);
    else if (was !== is) changes.push(flowText(node, is));
  }
  return changes;
}

function flowText(node: NodeId, flow: PeerStatus['state']): string {
  switch (flow) {
    case 'probe':
      return `probes ${nodeText(node)}`;
    case 'replicate':
      return `replicates to ${nodeText(node)}`;
    case 'snapshot':
      return `sends ${nodeText(node)} a snapshot`;
  }
}
