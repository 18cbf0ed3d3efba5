import type {
  bootstrapLog,
  Entry,
  InitialState,
  LogId,
  LogIndex,
  LogReader,
  NodeId,
  Ready,
  SnapshotMeta,
} from '@metad/raft-core';
import type { StoreFate } from './store-fate.ts';
import type { Write } from './write.ts';

/** What a snapshot holds; only the kind of store that made it looks inside. */
export interface Snapshot {
  readonly meta: SnapshotMeta;
  readonly content: unknown;
}

/** What the state machine says of itself after its last applied entry. */
export interface AppliedState {
  readonly applied: LogId;
  /** The clients' number: never falls, and the same for the same state on every node. */
  readonly version: number;
  /** Stands for everything applied from the first entry on. */
  readonly digest: string;
}

/**
 * What one node keeps on its disk, and what it does with it: the part of a node that the simulated driver does not
 * know. In memory for the engine's own simulation, in real files for that of whole nodes.
 */
export interface SimulatedStore {
  readonly log: LogReader;
  readonly lastLog: LogId;
  readonly compacted: LogId;
  readonly state: AppliedState;
  /** What a node that starts now finds. */
  initialState(): InitialState;
  /**
   * Snapshot, entries and hard state as one write. `received` is what came with the snapshot, which is on the disk at
   * once; the rest is after `sync`.
   */
  write(ready: Ready, received: Snapshot | null): void;
  /** Puts on disk what was written. */
  sync(): void;
  apply(entries: readonly Entry[]): void;
  read(key: string): string | null;
  /** A command whose effect `read` shows. */
  encode(write: Write): Uint8Array;
  /** A consistent copy of the state as applied now. */
  takeSnapshot(): Snapshot;
  /** Makes durable what is applied, then drops the log up to `to`; null when there is nothing to drop. */
  compact(to: LogIndex): LogId | null;
  /**
   * The process ends at once, and starts with what is on disk. `loseUnsynced`: the machine loses its power, and with it
   * all that no sync has covered.
   */
  crash(options: { readonly loseUnsynced: boolean }): void;
  /** The disk is replaced by an empty one. */
  wipe(): void;
  close(): void;
}

/** `formed`: the first entry of a new cluster is on the disk already; otherwise the disk is empty. */
export type StoreFactory = (
  node: NodeId,
  formed: ReturnType<typeof bootstrapLog> | null,
  fate: StoreFate,
) => SimulatedStore;
