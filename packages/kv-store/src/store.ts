import { renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  assert,
  bootstrapLog,
  compareLogId,
  type InitialState,
  type LogId,
  type LogIndex,
  logIndex,
  type Membership,
  type Ready,
  type SnapshotMeta,
} from '@metad/raft-core';
import type { AppliedBatch } from './change.ts';
import { createDirectory, removeDatabase } from './durable-file.ts';
import type { LogBatch } from './log-batch.ts';
import type { LogStore } from './log-store.ts';
import type { NodeIdentity } from './node-identity.ts';
import { type OpenFiles, openFiles } from './open-files.ts';
import { carryOutInWorker } from './snapshot-jobs.ts';
import type { SnapshotManifest } from './snapshot-manifest.ts';
import type { SnapshotSource, SnapshotStep, SnapshotStore } from './snapshot-store.ts';
import { removeStatesExcept, stateFileName } from './state-files.ts';
import { StateMachine } from './state-machine.ts';
import { namingFile } from './store-error.ts';

/** Where a process may end while something changes on the disk: tests end there. */
export type StoreStep = SnapshotStep | InstallStep;

type InstallStep = 'moved' | 'opened' | 'switched' | 'replacedRemoved';

export interface StoreOptions {
  /** Called right after each step that changes which files are there. */
  readonly onStep?: (step: StoreStep) => void;
}

/** The part of a Ready that goes to the disk. */
export type PersistedReady = Pick<Ready, 'snapshot' | 'entries' | 'hardState' | 'mustSync'>;

/** Everything that one node keeps on its disk. */
export class Store {
  readonly log: LogStore;
  readonly snapshots: SnapshotStore;
  readonly #dataDir: string;
  readonly #onStep: (step: StoreStep) => void;
  #state: StateMachine;
  #hasCheckpointThread = false;

  private constructor(dataDir: string, files: OpenFiles, onStep: (step: StoreStep) => void) {
    this.#dataDir = dataDir;
    this.log = files.log;
    this.#state = files.state;
    this.snapshots = files.snapshots;
    this.#onStep = onStep;
  }

  /**
   * Opens a data directory and creates it when absent. Throws a StoreError: `locked` while another process has it,
   * `damaged` when a file is corrupt or the files do not belong together, `newerFormat`, `io`.
   */
  static open(dataDir: string, { onStep = () => undefined }: StoreOptions = {}): Store {
    createDirectory(resolve(dataDir));
    return new Store(dataDir, openFiles(dataDir, onStep), onStep);
  }

  /** Another one after a snapshot was installed. */
  get state(): StateMachine {
    return this.#state;
  }

  /** Where other threads open a StateDatabase. Another one after a snapshot was installed. */
  get stateFile(): string {
    return join(this.#dataDir, stateFileName(this.log.stateGeneration));
  }

  /** What the consensus starts from. */
  initialState(): InitialState {
    const { applied, membership } = this.state;
    const { hardState, compacted, lastLog } = this.log;
    const committed = logIndex(Math.max(hardState.committed, applied.index));
    const stored = membership.logId.index === 0 ? [] : [membership];
    return {
      hardState: { ...hardState, committed },
      compacted,
      lastLog,
      applied,
      memberships: [...stored, ...this.log.memberships(applied.index)],
    };
  }

  /**
   * Writes the committed first entry of a new cluster: the same on every node that starts with the same membership, so
   * that they agree on it without an election. The log must be empty.
   */
  bootstrap(membership: Membership, identity: NodeIdentity): void {
    const { entry, hardState } = bootstrapLog(membership);
    this.log.initialize({ entries: [entry], hardState, sync: true }, identity);
  }

  /**
   * Writes what a Ready asks for; when it has `mustSync`, it is on disk only after a `log.sync`. A snapshot, which must
   * have been received whole, becomes the state at once and durably, and what the readers are told of it is returned;
   * null otherwise.
   */
  write({ snapshot, entries, hardState, mustSync }: PersistedReady): AppliedBatch | null {
    const batch = { entries, hardState, sync: mustSync };
    if (snapshot !== null) return this.#install(snapshot, batch);
    if (entries.length > 0 || hardState !== null) this.log.append(batch);
    return null;
  }

  /**
   * Lets the log begin behind `upTo`, or behind what the state has durably when that is less. `Raft.compacted` wants
   * to know what it returns, and not while a Ready is out. The room is given back by `log.purge`.
   *
   * Syncs the state when it is not durable that far: `state.makeDurableAsync` before saves the wait.
   */
  compact(upTo: LogIndex): LogId {
    if (upTo > this.state.durable.index) this.state.makeDurable();
    return this.log.compact(logIndex(Math.min(upTo, this.state.durable.index)));
  }

  /** For a store that will be written to for long: some MiB of disk now make every later sync cheaper. */
  reserveLog(): void {
    this.log.reserve();
  }

  /** Moves the state's write-ahead log in a thread of its own from now on: its syncs hold up no batch any more. */
  startCheckpoints(): void {
    this.#hasCheckpointThread = true;
    this.state.startCheckpoints();
  }

  /** Takes a snapshot of what is applied, in a thread of its own. One at a time. */
  takeSnapshot(): Promise<SnapshotManifest> {
    return this.snapshots.build(this.#snapshotSource());
  }

  /** `takeSnapshot` on this thread, which is blocked meanwhile. */
  takeSnapshotSync(): SnapshotManifest {
    return this.snapshots.buildSync(this.#snapshotSource());
  }

  /**
   * Writes a snapshot of what is applied to a file of the caller's, in a thread of its own; what is there is replaced.
   * Rejects with a StoreError, and with what aborted `signal` has for a reason. A rejection may leave a part of the file.
   */
  writeBackup(to: string, signal: AbortSignal): Promise<SnapshotManifest> {
    return carryOutInWorker({ type: 'build', plan: { ...this.#snapshotSource(), to } }, signal);
  }

  /** Removes the state files that a snapshot has replaced, once no reader will open them again. */
  removeReplacedStates(): void {
    if (this.snapshots.isBuilding) return;
    removeStatesExcept(this.#dataDir, this.log.stateGeneration);
    this.#onStep('replacedRemoved');
  }

  /** Ends what runs in other threads, writes what still waits in memory, and lets others have the directory. */
  close(): void {
    this.snapshots.close();
    try {
      this.state.close();
    } finally {
      // Whatever has become of the state: nobody else gets at the directory while the log's lock is held.
      this.log.close();
    }
  }

  /** One transaction of log.db makes the switch: a crash before it leaves the old state and log, after it the new ones. */
  #install(meta: SnapshotMeta, batch: LogBatch): AppliedBatch {
    const received = this.snapshots.takeReceived(meta.last);
    const stateGeneration = this.log.stateGeneration + 1;
    const stateFile = join(this.#dataDir, stateFileName(stateGeneration));
    const state = adoptSnapshot(received.file, stateFile, (step) => this.#onStep(step));
    try {
      const { applied, version } = state;
      assert(compareLogId(applied, meta.last) === 0, 'a snapshot holds what its manifest says');
      this.log.restore(batch, { last: applied, stateGeneration });
      this.#state.close();
      this.#state = state;
      if (this.#hasCheckpointThread) state.startCheckpoints();
      this.#onStep('switched');
      return { applied, version, changes: [{ type: 'reset', version }], stateFile };
    } catch (error) {
      state.close();
      throw error;
    }
  }

  #snapshotSource(): SnapshotSource {
    return { stateFile: this.stateFile, cluster: this.log.identity()?.cluster ?? null };
  }
}

/** Makes a received snapshot a state file, durably, that log.db does not know yet. */
function adoptSnapshot(file: string, stateFile: string, onStep: (step: InstallStep) => void): StateMachine {
  removeDatabase(stateFile);
  namingFile(stateFile, () => renameSync(file, stateFile));
  onStep('moved');
  const state = StateMachine.open(stateFile);
  try {
    state.makeDurable();
    onStep('opened');
    return state;
  } catch (error) {
    state.close();
    throw error;
  }
}
