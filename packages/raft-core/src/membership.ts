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
