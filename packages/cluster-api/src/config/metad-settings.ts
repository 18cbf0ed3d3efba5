import { DEFAULT_METAD_SETTINGS, type MetadSettings } from '@metad/metad-api';
import type { NodeConfig } from './node-config.ts';

/** What the metadata and the manage API are told of a node's settings. */
export function metadSettings({ xff, trustedProxies, manageToken, limits }: NodeConfig): MetadSettings {
  return {
    ...DEFAULT_METAD_SETTINGS,
    xff,
    trustedProxies,
    manageToken,
    maxBodyBytes: limits.maxBodyBytes,
    maxValueBytes: limits.maxValueBytes,
    maxLeaves: limits.maxLeaves,
    maxPathDepth: limits.maxPathDepth,
    maxPathBytes: limits.maxPathBytes,
    maxWaiters: limits.maxWaiters,
    maxWaitersPerAddress: limits.maxWaitersPerAddress,
    waitTimeoutSeconds: limits.waitTimeoutMs / 1000,
    maxWaitTimeoutSeconds: limits.maxWaitTimeoutMs / 1000,
    waitJitterSeconds: limits.waitJitterMs / 1000,
    catchUpTimeoutMs: limits.catchUpWaitMs,
  };
}
