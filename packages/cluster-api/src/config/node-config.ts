import type { NodeId } from '@metad/raft-core';
import type { ListenAddress } from './address.ts';
import type { Settings } from './settings.ts';

/** How a node with an empty data directory begins; one that has data goes on with what it has. */
export type Start =
  | { readonly type: 'single' }
  /** Empty, until a leader adds it. */
  | { readonly type: 'standby' }
  /** Asks these members, `HOST:PORT`, to add it as a learner. */
  | { readonly type: 'join'; readonly members: readonly string[] }
  /** Contains this node's own id. */
  | { readonly type: 'initialCluster'; readonly members: ReadonlyMap<NodeId, string> };

export type LogLevel = Settings['log_level'];

/** Everything that a node needs to know to run; each setting is described in settings.ts. */
export interface NodeConfig {
  readonly id: NodeId;
  /** Absolute. */
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  /** The cluster is not asked to rise beyond it; null: no limit but what the releases know. */
  readonly maxFeatureLevel: number | null;
  /** Absolute. */
  readonly pidFile: string | null;

  readonly listen: ListenAddress;
  readonly listenManage: ListenAddress;
  readonly listenCluster: ListenAddress;
  /** `HOST:PORT` that goes into memberships; null when `listenCluster` has port 0 and so is known only once bound. */
  readonly advertiseCluster: string | null;

  readonly start: Start;
  /** The backup that an empty data directory begins with, and the address of the new cluster's first member. */
  readonly restore: { readonly file: string; readonly addr: string } | null;

  readonly xff: boolean;
  /** Addresses and ranges; empty means that every peer is trusted. */
  readonly trustedProxies: readonly string[];
  readonly clusterToken: string | null;
  readonly manageToken: string | null;
  readonly insecure: boolean;

  readonly heartbeatIntervalMs: number;
  /** At least five heartbeats. */
  readonly electionTimeoutMs: number;
  readonly snapshots: SnapshotSettings;
  readonly limits: NodeLimits;
}

/** When the log is compacted, and how far. */
export interface SnapshotSettings {
  readonly logBytes: number;
  readonly logEntries: number;
  /** At most half of `logEntries`. */
  readonly keepEntries: number;
}

export interface NodeLimits {
  readonly leaderWaitMs: number;
  readonly proposeTimeoutMs: number;
  readonly catchUpWaitMs: number;
  readonly waitTimeoutMs: number;
  readonly maxWaitTimeoutMs: number;
  readonly waitJitterMs: number;
  readonly headerTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly maxValueBytes: number;
  readonly maxLeaves: number;
  readonly maxPathBytes: number;
  readonly maxPathDepth: number;
  readonly maxInflightProposals: number;
  readonly maxUncommittedBytes: number;
  /** 0: no limit. */
  readonly maxStateBytes: number;
  readonly maxWaiters: number;
  readonly maxWaitersPerAddress: number;
}
