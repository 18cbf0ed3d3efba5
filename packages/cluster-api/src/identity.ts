import { createHash, randomUUID } from 'node:crypto';
import type { NodeIdentity, Store } from '@metad/kv-store';
import {
  compareLogId,
  type LogId,
  type Membership,
  type NodeId,
  type NodeRecord,
  type RaftStatus,
} from '@metad/raft-core';
import type { NodeConfig } from './config/node-config.ts';
import { isMeant } from './peers/instance-rule.ts';
import { addAdvice, replaceAdvice } from './peers/repair-advice.ts';
import type { Admission, PeerIdentity } from './peers/transport.ts';

/** The data directory and the configuration contradict each other: the message says what to do. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
}

/**
 * Says who this node is: what its data directory remembers, or, with an empty one, what the configuration founds.
 * A directory that remembers an identity goes on with it, whatever the configuration says about how to begin.
 */
export function establishIdentity(store: Store, config: NodeConfig, advertise: string): NodeIdentity {
  const remembered = store.log.identity();
  if (remembered) {
    if (remembered.node === config.id) return remembered;
    throw new IdentityError(
      `the data directory ${config.dataDir} belongs to node ${remembered.node}, not to node ${config.id}: ` +
        `start it with --id ${remembered.node} or choose another --data_dir`,
    );
  }
  const identity = { node: config.id, instance: randomUUID(), cluster: foundedCluster(config) };
  const membership = foundingMembership(config, identity.instance, advertise);
  if (membership === null) store.log.saveIdentity(identity);
  else store.bootstrap(membership, identity);
  return identity;
}

/** What an operator should know who names another cluster than the one that the data directory belongs to; null: nothing. */
export function describeForeignCluster(config: NodeConfig, identity: NodeIdentity): string | null {
  if (config.start.type !== 'initialCluster' || identity.cluster === foundedCluster(config)) return null;
  return (
    `${config.dataDir} belongs to a cluster that was not formed by this --initial_cluster: the node goes on in that one, and ` +
    'these words count for nothing; start it with an empty data directory if it is to be in the one that they name'
  );
}

/** The members of an initial cluster come to the same cluster id without talking to each other. */
function foundedCluster({ start }: NodeConfig): string | null {
  switch (start.type) {
    case 'single':
      return randomUUID();
    case 'initialCluster': {
      const members = [...start.members].sort(([a], [b]) => a - b).map(([node, addr]) => `${node}=${addr}`);
      return createHash('sha256').update(members.join(',')).digest('hex').slice(0, 32);
    }
    case 'standby':
    case 'join':
      return null;
  }
}

function foundingMembership(config: NodeConfig, instance: string, advertise: string): Membership | null {
  switch (config.start.type) {
    case 'single':
      return { configs: [[config.id]], nodes: new Map([[config.id, { addr: advertise, instance }]]) };
    case 'initialCluster': {
      const members = [...config.start.members].sort(([a], [b]) => a - b);
      // Without instance ids: no member knows those of the others, and all must write the same entry.
      const nodes = new Map<NodeId, NodeRecord>(members.map(([node, addr]) => [node, { addr }]));
      return { configs: [members.map(([node]) => node)], nodes };
    }
    case 'standby':
    case 'join':
      return null;
  }
}

/** One line for the log: what this node is when it starts. */
export function describeStart(
  membership: Membership | undefined,
  identity: NodeIdentity,
  isNew: boolean,
): string {
  if (membership === undefined) return `node ${identity.node} waits to be added to a cluster`;
  const [voters = [], ...joint] = membership.configs;
  const members = joint.length > 0 ? 'changing voters' : `voters ${voters.join(', ')}`;
  return `node ${identity.node} ${isNew ? 'founds a cluster' : 'goes on in its cluster'}: ${members}`;
}

/** The memberships that a node knows. */
export type KnownMemberships = Pick<RaftStatus, 'membership' | 'committedMembership'>;

/**
 * Whether a peer may talk to this node. Who knows a later membership than this node is let in, as this node may have
 * missed that it was added, or that its disk was replaced. A node of another cluster never is; nor are another disk
 * under a known id, or one that was removed, once this node knows of it.
 */
export function admitPeer(self: NodeIdentity, peer: PeerIdentity, known: KnownMemberships): Admission {
  if (peer.node === self.node) return refuse(`two nodes have the id ${self.node}: give each its own --id`);
  const { logId, membership } = known.membership;
  // Whoever is leaving still counts until its removal is committed.
  const record = membership.nodes.get(peer.node) ?? known.committedMembership.membership.nodes.get(peer.node);
  if (!isMeant(peer, { instance: record?.instance, membership: logId })) {
    return refuse(
      `node ${peer.node} has another data directory than the one that joined this cluster: ${replaceAdvice(peer.node)}`,
      membershipWithout(self, peer, known),
    );
  }
  if (self.cluster !== null && peer.cluster !== null && self.cluster !== peer.cluster) {
    return refuse(
      `node ${peer.node} belongs to another cluster, and this is none of its members: correct the address there, ` +
        `or, to have the node here, ${addAdvice(peer.node)}`,
    );
  }
  if (record || compareLogId(peer.membership, logId) > 0) return { type: 'admitted' };
  if (peer.cluster === null)
    return refuse(`node ${peer.node} has not been added to this cluster: use POST /add-learner`);
  return refuse(
    `node ${peer.node} is no member of this cluster, or no longer: to have it as one, ${addAdvice(peer.node)}`,
    membershipWithout(self, peer, known),
  );
}

/** The membership that this node knows to be committed, if it is one of the peer's cluster and does not have it. */
function membershipWithout(
  self: NodeIdentity,
  peer: PeerIdentity,
  { committedMembership: { logId, membership } }: KnownMemberships,
): LogId | null {
  if (self.cluster === null || self.cluster !== peer.cluster) return null;
  const record = membership.nodes.get(peer.node);
  const isThere = record !== undefined && (record.instance ?? peer.instance) === peer.instance;
  return isThere ? null : logId;
}

function refuse(reason: string, without: LogId | null = null): Admission {
  return { type: 'refused', reason, without };
}
