export { awaitedLater } from './awaited-later.ts';
export { verifyBackup } from './backup.ts';
export type { AppliedBatch, Change } from './change.ts';
export {
  type AccessMode,
  type AccessRule,
  type Command,
  type ContentCommand,
  type Leaf,
  type Precondition,
  type TreeName,
  type WriteCommand,
  type WriteResult,
  writeOf,
} from './command.ts';
export { decodeCommand, encodeCommand, stampTime } from './command-codec.ts';
export { CommandFormatError } from './command-fields.ts';
export { FIRST_FEATURE_LEVEL, LAST_FEATURE_LEVEL, MAX_FEATURE_LEVEL } from './feature-level.ts';
export type { LogBatch } from './log-batch.ts';
export type { PurgeLimits } from './log-purge.ts';
export type { LogSize } from './log-size.ts';
export { LogStore } from './log-store.ts';
export type { NodeIdentity } from './node-identity.ts';
export { canonicalPath, isAtOrBelow, joinPath, parentOf, ROOT, segmentsOf } from './path.ts';
export { type RestorePlan, restoreBackup, VERSION_STEP, versionAfterRestore } from './restore.ts';
export { decodeRules } from './rule-table.ts';
export { buildSnapshot, type SnapshotPlan } from './snapshot-file.ts';
export type { SnapshotManifest } from './snapshot-manifest.ts';
export { MAX_CHUNK_BYTES, type SnapshotReader } from './snapshot-reader.ts';
export type {
  ChunkOutcome,
  ReceiveOutcome,
  SnapshotOffer,
  SnapshotReceiver,
} from './snapshot-receiver.ts';
export type { SnapshotFile, SnapshotStep, SnapshotStore } from './snapshot-store.ts';
export { type StateCursor, StateDatabase, type StateSource } from './state-database.ts';
export { type AppliedEntries, StateMachine } from './state-machine.ts';
export { type HistoryChange, type HistoryEntry, type StateReader, StateView } from './state-view.ts';
export { type PersistedReady, Store, type StoreOptions, type StoreStep } from './store.ts';
export { StoreError, type StoreErrorCode } from './store-error.ts';
export { type DirectoryReport, verifyDataDirectory } from './verify-directory.ts';
export { type Version, version } from './version.ts';
export { isIdempotencyKey } from './write-codec.ts';
