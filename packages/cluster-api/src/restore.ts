import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { restoreBackup, type SnapshotManifest, StoreError, type Version } from '@metad/kv-store';
import type { NodeId } from '@metad/raft-core';
import type { Logger } from 'pino';
import type { NodeConfig } from './config/node-config.ts';

export interface Restored {
  /** What was restored. */
  readonly backup: SnapshotManifest;
  /** Of the new cluster: beyond all that the old one may have handed out. */
  readonly version: Version;
  readonly cluster: string;
}

/**
 * Founds a cluster of one on the rows of a backup, in a data directory that is absent or empty. Nobody of the old
 * cluster will take this node for one of theirs. Blocks the thread. Throws a StoreError.
 */
export function restoreCluster(options: {
  readonly backup: string;
  readonly dataDir: string;
  readonly node: NodeId;
  /** `HOST:PORT` at which the nodes that are added later reach this one. */
  readonly addr: string;
}): Restored {
  const { backup, dataDir, node, addr } = options;
  if (existsSync(join(dataDir, 'log.db'))) {
    const advice = 'choose an empty one, or start metad without --restore to go on with what is there';
    throw new StoreError('io', `${dataDir} holds a node's data, which a restore never replaces: ${advice}`);
  }
  const identity = { node, instance: randomUUID(), cluster: randomUUID() };
  const nodes = new Map([[node, { addr, instance: identity.instance }]]);
  const restored = restoreBackup({ backup, dataDir, identity, membership: { configs: [[node]], nodes } });
  return { ...restored, cluster: identity.cluster };
}

/** Makes the data directory of a node that is about to start from a backup, if it was told to. Throws a StoreError. */
export function restoreIfAsked({ restore, dataDir, id }: NodeConfig, logger: Logger): void {
  if (restore === null) return;
  const { file, addr } = restore;
  const { version, cluster, backup } = restoreCluster({ backup: file, dataDir, node: id, addr });
  logger.info({ cluster, version, backup: backup.version }, `restored ${file} into a new cluster`);
}
