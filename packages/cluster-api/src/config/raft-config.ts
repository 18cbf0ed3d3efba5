import type { NodeIdentity } from '@metad/kv-store';
import { DEFAULT_RAFT_LIMITS, type RaftConfig } from '@metad/raft-core';
import type { NodeConfig } from './node-config.ts';

/** What the consensus is told of a node's settings. */
export function raftConfig(config: NodeConfig, { instance }: NodeIdentity): RaftConfig {
  return {
    ...DEFAULT_RAFT_LIMITS,
    id: config.id,
    instance,
    // One heartbeat interval is one tick: the coarsest clock that still keeps a leader's peers informed.
    heartbeatTicks: 1,
    electionTimeoutTicks: Math.round(config.electionTimeoutMs / config.heartbeatIntervalMs),
    maxUncommittedBytes: config.limits.maxUncommittedBytes,
    random: Math.random,
  };
}
