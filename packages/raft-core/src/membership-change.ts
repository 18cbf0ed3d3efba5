import type { LogId, NodeId } from './ids.ts';
import { isJoint, isVoter, type Membership, type NodeRecord } from './membership.ts';

export type MembershipChange =
  /** Of a node that is there already with the same record: appends the same membership once more. */
  | { readonly type: 'addLearner'; readonly node: NodeId; readonly record: NodeRecord }
  | { readonly type: 'removeLearner'; readonly node: NodeId }
  /** Every one of them must be a member already. Voters that are not among them leave the membership. */
  | { readonly type: 'setVoters'; readonly voters: readonly NodeId[] };

/** Why a change can't be made to the present membership, whatever the state of the leader. */
export type MembershipRefusal =
  | { readonly type: 'emptyMembership' }
  | { readonly type: 'learnerNotFound'; readonly node: NodeId }
  | { readonly type: 'conflict'; readonly message: string };

export type MembershipResult =
  /** For `setVoters` with other voters: the joint entry. Done when a uniform membership at or behind it commits. */
  | { readonly type: 'appended'; readonly logId: LogId }
  | { readonly type: 'notLeader'; readonly leader: NodeId | null }
  | { readonly type: 'transferring' }
  /** `change` must be committed first: an earlier change, or this leader's first entry of its term. */
  | { readonly type: 'inProgress'; readonly change: LogId }
  /** To be a voter, but nothing of the log is known to be on its disk: it could not vote. Try again when it is fed. */
  | { readonly type: 'learnerBehind'; readonly node: NodeId }
  | MembershipRefusal;

export type ChangedMembership =
  | { readonly type: 'changed'; readonly membership: Membership }
  | MembershipRefusal;

/** The membership to append for `change`; joint when the set of voters differs (paper §6). */
export function changeMembership(present: Membership, change: MembershipChange): ChangedMembership {
  switch (change.type) {
    case 'addLearner':
      return addLearner(present, change.node, change.record);
    case 'removeLearner':
      return removeLearner(present, change.node);
    case 'setVoters':
      return setVoters(present, change.voters);
  }
}

function addLearner(present: Membership, node: NodeId, record: NodeRecord): ChangedMembership {
  for (const [other, { addr }] of present.nodes) {
    if (other !== node && addr === record.addr) {
      return { type: 'conflict', message: `${addr} is already the address of node ${other}` };
    }
  }
  const known = present.nodes.get(node);
  if (known !== undefined) {
    const sameInstance = known.instance !== undefined && known.instance === record.instance;
    if (known.addr !== record.addr && !sameInstance) {
      return { type: 'conflict', message: `node ${node} is already a member at ${known.addr}` };
    }
    if (known.instance !== undefined && record.instance !== undefined && !sameInstance) {
      return { type: 'conflict', message: `node ${node} is already a member with another data directory` };
    }
  }
  return { type: 'changed', membership: withNode(present, node, { ...known, ...record }) };
}

function withNode(present: Membership, node: NodeId, record: NodeRecord): Membership {
  return { configs: present.configs, nodes: sortedNodes([...present.nodes, [node, record]]) };
}

function removeLearner(present: Membership, node: NodeId): ChangedMembership {
  if (isVoter(present, node)) {
    return { type: 'conflict', message: `node ${node} is a voter: take it out of the voters first` };
  }
  if (!present.nodes.has(node)) return { type: 'learnerNotFound', node };
  const nodes = sortedNodes([...present.nodes].filter(([id]) => id !== node));
  return { type: 'changed', membership: { configs: present.configs, nodes } };
}

function setVoters(present: Membership, voters: readonly NodeId[]): ChangedMembership {
  const next = [...new Set(voters)].sort((a, b) => a - b);
  if (next.length === 0) return { type: 'emptyMembership' };
  for (const node of next) if (!present.nodes.has(node)) return { type: 'learnerNotFound', node };
  const [old = []] = present.configs;
  const same = old.length === next.length && next.every((node) => old.includes(node));
  return { type: 'changed', membership: { configs: same ? [next] : [old, next], nodes: present.nodes } };
}

/** The uniform membership behind a joint one: the new voters; voters that are not among them leave. */
export function leaveJoint(joint: Membership): Membership {
  const config = joint.configs.at(-1) ?? [];
  const leaving = (node: NodeId) => isJoint(joint) && isVoter(joint, node) && !config.includes(node);
  return { configs: [config], nodes: sortedNodes([...joint.nodes].filter(([node]) => !leaving(node))) };
}

/** In order of id, so that equal memberships have equal bytes. A later record of a node replaces an earlier one. */
function sortedNodes(nodes: readonly (readonly [NodeId, NodeRecord])[]): ReadonlyMap<NodeId, NodeRecord> {
  return new Map([...new Map(nodes)].sort(([a], [b]) => a - b));
}
