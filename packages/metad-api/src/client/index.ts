export type { Batch, BatchCondition, BatchOperation } from './batch.ts';
export type { CallOptions } from './call.ts';
export type { ConnectionOptions } from './connection.ts';
export type {
  Change,
  Diff,
  ExplainedBranch,
  ExplainedLeaf,
  Explanation,
  HistoryEntry,
  HistoryPage,
} from './documents.ts';
export type {
  ManageConnectionOptions,
  ManageReadOptions,
  WriteCondition,
  WriteOptions,
  WriteResult,
} from './manage-call.ts';
export { type DiffQuery, type HistoryOptions, MetadManageClient } from './manage-client.ts';
export type {
  JsonValue,
  LeavesOptions,
  ManagedTree,
  SwapResult,
  TreeDeleteOptions,
  TreeReadOptions,
  TreeWriteOptions,
} from './managed-tree.ts';
export { MetadClient, type ReadOptions } from './metad-client.ts';
export { MetadError, type MetadErrorKind } from './metad-error.ts';
export type { MetadataState, MetadataTree, MetadataValue } from './metadata-value.ts';
export type { AccessRule, ManagedRules, RuleSets } from './rules.ts';
export type { WatchFailure, WatchOptions } from './watch.ts';
