import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from '@metad/kv-store';
import type { NodeConfig } from '../config/node-config.ts';
import { supportedLevels } from './feature-levels.ts';
import type { ConsensusSample } from './metrics.ts';
import type { Node } from './node.ts';

/** What a node shows in its metrics at this moment. */
export function takeSample(node: Node, store: Store, config: NodeConfig): ConsensusSample {
  const status = node.status();
  const { configs, nodes } = status.membership.membership;
  const voters = new Set(configs.flat()).size;
  const { entries, bytes } = store.log.size();
  const others = [...status.peers].filter(([peer]) => peer !== status.id);
  return {
    term: status.term,
    isLeader: status.role === 'leader',
    hasLeader: status.leader !== null,
    lastLog: status.lastLog.index,
    committed: status.committed,
    applied: status.applied,
    version: node.version,
    featureLevel: store.state.featureLevel,
    maxFeatureLevel: supportedLevels(config.maxFeatureLevel).allowed,
    inFlight: node.inFlight,
    caughtUp: node.state.caughtUp,
    quarantined: node.state.quarantine !== null,
    removed: node.state.isRemoved,
    voters,
    learners: nodes.size - voters,
    compacted: status.compacted.index,
    logEntries: entries,
    logEntryBytes: bytes,
    logBytes: databaseBytes(join(config.dataDir, 'log.db')),
    stateFileBytes: databaseBytes(store.stateFile),
    stateBytes: store.state.bytes,
    maxStateBytes: config.limits.maxStateBytes,
    peers: new Map(others.map(([peer, { matched }]) => [peer, matched])),
  };
}

/** What a database takes on the disk, what is still in its write-ahead log included. */
function databaseBytes(file: string): number {
  const size = (name: string) => statSync(name, { throwIfNoEntry: false })?.size ?? 0;
  return size(file) + size(`${file}-wal`);
}
