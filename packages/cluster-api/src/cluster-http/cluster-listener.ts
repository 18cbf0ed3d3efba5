import type { RequestListener } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { NodeIdentity, Store } from '@metad/kv-store';
import type { NodeConfig } from '../config/node-config.ts';
import type { Node } from '../consensus/node.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import { type ClusterAppDeps, createClusterApp } from './cluster-app.ts';
import { metricsAnswer } from './openraft-json.ts';
import { createWriteDoor } from './write-door.ts';

type Passed = Pick<ClusterAppDeps, 'router' | 'trace' | 'state' | 'backups' | 'onError'>;

export interface ClusterListenerOptions extends Passed {
  readonly node: Node;
  readonly store: Store;
  readonly identity: () => NodeIdentity;
  readonly snapshots: Pick<Snapshots, 'take'>;
  readonly config: Pick<NodeConfig, 'limits' | 'clusterToken'>;
  /** The highest feature level that this node allows. */
  readonly maxFeatureLevel: number;
}

/** Everything that the cluster port answers, but its upgrades to peer connections. */
export function createClusterListener(options: ClusterListenerOptions): RequestListener {
  const { node, snapshots, config } = options;
  const deps: ClusterAppDeps = {
    ...options,
    limits: config.limits,
    clusterToken: config.clusterToken,
    addressOf: (id) => addressOf(node, id),
    takeSnapshot: () => snapshots.take(),
    metrics: () => metricsOf(options),
  };
  return createWriteDoor(deps, getRequestListener(createClusterApp(deps).fetch));
}

function addressOf(node: Node, id: number): string | null {
  const { nodes } = node.status().membership.membership;
  return [...nodes].find(([other]) => other === id)?.[1].addr ?? null;
}

function metricsOf({ node, store, identity, maxFeatureLevel }: ClusterListenerOptions) {
  const { log, state, snapshots } = store;
  return metricsAnswer({
    status: node.status(),
    identity: identity(),
    applied: state.applied,
    snapshot: snapshots.newest?.last ?? null,
    logIdOf: (index) => (index === log.compacted.index ? log.compacted : log.logId(index)),
    contact: node.contact,
    isRemoved: node.state.isRemoved,
    featureLevel: { present: state.featureLevel, max: maxFeatureLevel },
  });
}
