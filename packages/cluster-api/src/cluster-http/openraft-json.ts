import type { NodeIdentity, SnapshotManifest } from '@metad/kv-store';
import type { LogId, Membership, NodeId, RaftStatus, Role } from '@metad/raft-core';
import { unreachable } from '@metad/raft-core';
import type { CallError, CallOutcome } from '../consensus/call.ts';
import { explainCallError } from '../consensus/call-error.ts';
import type { QuorumContact } from '../consensus/quorum-contact.ts';
import { wallClockNanos } from '../consensus/wall-clock.ts';

/** JSON with integers of any size: nanosecond times exceed what a double holds. */
export type BigJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly BigJson[]
  | { readonly [name: string]: BigJson };

/** Like JSON.stringify, but a bigint becomes a plain JSON integer with every digit. */
export function stringifyBigJson(value: BigJson): string {
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(stringifyBigJson).join(',')}]`;
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}:${stringifyBigJson(member)}`,
  );
  return `{${members.join(',')}}`;
}

/** The answer to a cluster call, in openraft's form. */
export function callAnswer(outcome: CallOutcome, addressOf: (node: NodeId) => string | null): BigJson {
  switch (outcome.type) {
    case 'done':
      return {
        Ok: {
          log_id: logIdJson(outcome.logId),
          data: { value: null },
          membership: membershipJson(outcome.membership),
        },
      };
    case 'refused':
      return { Err: { APIError: errorJson(outcome.error, addressOf) } };
    case 'unknown':
      return { Err: { APIError: { Unknown: { message: outcome.message } } } };
    default:
      return unreachable(outcome);
  }
}

function errorJson(error: CallError, addressOf: (node: NodeId) => string | null): BigJson {
  const message = explainCallError(error);
  switch (error.type) {
    case 'forwardToLeader': {
      const addr = error.leader === null ? null : addressOf(error.leader);
      const leader_node = addr === null ? null : { addr };
      return { ForwardToLeader: { leader_id: error.leader, leader_node, message } };
    }
    case 'inProgress':
      return {
        ChangeMembershipError: { InProgress: { membership_log_id: logIdJson(error.change), message } },
      };
    case 'emptyMembership':
      return { ChangeMembershipError: { EmptyMembership: { message } } };
    case 'learnerNotFound':
      return { ChangeMembershipError: { LearnerNotFound: { node_id: error.node, message } } };
    case 'conflict':
      return { ChangeMembershipError: { Conflict: { message } } };
    case 'unreachable':
      return { Unreachable: { message } };
    case 'overloaded':
    case 'tooLarge':
    case 'stateFull':
    case 'stopping':
    case 'noLink':
      return { Unavailable: { message } };
    default:
      return unreachable(error);
  }
}

/** What `GET /metrics` shows: openraft's RaftMetrics, with times and matched logs on the leader only; and our own. */
export function metricsAnswer(options: {
  readonly status: RaftStatus;
  readonly identity: Pick<NodeIdentity, 'cluster' | 'instance'>;
  readonly applied: LogId;
  /** The last entry of the newest snapshot taken here. */
  readonly snapshot: LogId | null;
  readonly logIdOf: (index: RaftStatus['committed']) => LogId | undefined;
  readonly contact: QuorumContact;
  /** As far as it was told. */
  readonly isRemoved: boolean;
  /** That of the cluster, as applied here, and what this node lets it rise to. */
  readonly featureLevel: { readonly present: number; readonly max: number };
}): BigJson {
  const { status, applied, contact } = options;
  const { membership } = status.membership;
  const leads = status.role === 'leader';
  const acked = leads ? contact.lastQuorumAcked(status.id, membership) : null;
  const heartbeat = leads ? nodesJson(contact.heartbeats(status.id, membership), (nanos) => nanos) : null;
  const matched = new Map(
    [...status.peers].map(([node, peer]) => [node, options.logIdOf(peer.matched) ?? null]),
  );
  const replication = leads ? nodesJson(matched, (logId) => logId && logIdJson(logId)) : null;
  const metrics = {
    running_state: { Ok: null },
    id: status.id,
    current_term: status.term,
    vote: voteJson(status),
    last_log_index: status.lastLog.index,
    last_applied: optionalLogIdJson(applied),
    snapshot: options.snapshot && optionalLogIdJson(options.snapshot),
    purged: optionalLogIdJson(status.compacted),
    state: stateName(status.role),
    current_leader: status.leader,
    millis_since_quorum_ack: acked === null ? null : Number((wallClockNanos() - acked) / 1_000_000n),
    last_quorum_acked: acked,
    membership_config: {
      log_id: optionalLogIdJson(status.membership.logId),
      membership: membershipJson(membership),
    },
    cluster: options.identity.cluster,
    instance: options.identity.instance,
    instances: nodesJson(membership.nodes, ({ instance }) => instance ?? null),
    removed: options.isRemoved,
    feature_level: options.featureLevel.present,
    max_feature_level: options.featureLevel.max,
  };
  return { Ok: { ...metrics, heartbeat, replication }, heartbeat, replication };
}

/** The answer to `POST /snapshot`. */
export function snapshotAnswer({ meta, version, bytes }: SnapshotManifest): BigJson {
  return { Ok: { log_id: logIdJson(meta.last), version, bytes } };
}

function voteJson({ term, leader, votedFor }: RaftStatus): BigJson {
  return { leader_id: { term, node_id: leader ?? votedFor }, committed: leader !== null };
}

function logIdJson({ term, leader, index }: LogId): BigJson {
  return { leader_id: { term, node_id: leader }, index };
}

function optionalLogIdJson(logId: LogId): BigJson {
  return logId.index === 0 ? null : logIdJson(logId);
}

function membershipJson({ configs, nodes }: Membership): BigJson {
  return {
    configs: configs.map((config) => [...config]),
    nodes: nodesJson(nodes, ({ addr }) => ({ addr })),
  };
}

function nodesJson<T>(nodes: ReadonlyMap<NodeId, T>, json: (value: T) => BigJson): BigJson {
  return Object.fromEntries([...nodes].map(([node, value]) => [node, json(value)]));
}

function stateName(role: Role): string {
  switch (role) {
    case 'leader':
      return 'Leader';
    case 'follower':
      return 'Follower';
    case 'learner':
      return 'Learner';
    case 'preCandidate':
    case 'candidate':
      return 'Candidate';
    default:
      return unreachable(role);
  }
}
