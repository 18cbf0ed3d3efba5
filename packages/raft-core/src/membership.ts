import type { NodeId } from './ids.ts';

/** How a member is reached, and which data directory speaks under its id. */
export interface NodeRecord {
  /** `host:port` of its cluster port. */
  readonly addr: string;
  /** The instance id of its data directory; absent until the leader has learned it. */
  readonly instance?: string;
}

/**
 * Who takes part. One config is uniform; two are joint: every decision needs a majority of each (paper §6).
 * Nodes in no config are learners: they get the log but never vote and never count.
 */
export interface Membership {
  readonly configs: readonly (readonly NodeId[])[];
  readonly nodes: ReadonlyMap<NodeId, NodeRecord>;
}

/** The membership of a node that has not joined anything yet. */
export const EMPTY_MEMBERSHIP: Membership = { configs: [], nodes: new Map() };

export function isVoter(membership: Membership, node: NodeId): boolean {
  return membership.configs.some((config) => config.includes(node));
}

/**
 * Whether the disk `instance` is the voter that `membership` means by `node`. One that was replaced is not: when it is
 * added again it reads, in the log, of the time when an earlier disk of its id was a voter, and must not act on it.
 */
export function isVotingDisk(
  membership: Membership,
  { node, instance }: { readonly node: NodeId; readonly instance: string | undefined },
): boolean {
  const recorded = membership.nodes.get(node)?.instance;
  const isMeant = recorded === undefined || instance === undefined || recorded === instance;
  return isMeant && isVoter(membership, node);
}

export function isJoint(membership: Membership): boolean {
  return membership.configs.length > 1;
}

/** The voters of every config, each once. */
export function voters(membership: Membership): ReadonlySet<NodeId> {
  return new Set(membership.configs.flat());
}

/** Everyone who gets the log: voters and learners. */
export function members(membership: Membership): ReadonlySet<NodeId> {
  return new Set([...membership.configs.flat(), ...membership.nodes.keys()]);
}

/** Whether no other node's vote is needed. */
export function isSoleVoter(membership: Membership, node: NodeId): boolean {
  return (
    membership.configs.length > 0 &&
    membership.configs.every((config) => config.length === 1 && config[0] === node)
  );
}
