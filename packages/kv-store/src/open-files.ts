import { copyFileSync, existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { removeDatabase, removeSideFiles, syncDirectory, syncFile } from './durable-file.ts';
import { LogStore } from './log-store.ts';
import { verifySnapshot } from './snapshot-manifest.ts';
import { type SnapshotStep, SnapshotStore } from './snapshot-store.ts';
import { removeStatesExcept, stateFileName, stateGenerations } from './state-files.ts';
import { StateMachine } from './state-machine.ts';
import { namingFile, REBUILD_ADVICE, StoreError } from './store-error.ts';

/** The files of one data directory, which belong together. */
export interface OpenFiles {
  readonly log: LogStore;
  readonly state: StateMachine;
  readonly snapshots: SnapshotStore;
}

/** Opens what is there, checks that it belongs together, and removes what a crash left half done. */
export function openFiles(dataDir: string, onStep: (step: SnapshotStep) => void): OpenFiles {
  const log = LogStore.open(join(dataDir, 'log.db'));
  try {
    checkLogNotLost(dataDir, log);
    removeStatesExcept(dataDir, log.stateGeneration);
    const snapshots = SnapshotStore.open(join(dataDir, 'snapshots'), onStep);
    const stateFile = join(dataDir, stateFileName(log.stateGeneration));
    if (log.compacted.index > 0 && !existsSync(stateFile)) restoreLostState(stateFile, log, snapshots);
    const state = StateMachine.open(stateFile);
    try {
      checkTogether(dataDir, log, state);
      return { log, state, snapshots };
    } catch (error) {
      state.close();
      throw error;
    }
  } catch (error) {
    log.close();
    throw error;
  }
}

/** A log that was just made must not stand beside a state that snapshots were installed to: it may have voted. */
function checkLogNotLost(dataDir: string, log: LogStore): void {
  const isNew = log.lastLog.index === 0 && log.hardState.term === 0 && log.identity() === null;
  const later = stateGenerations(dataDir).find((generation) => generation > 1);
  if (!isNew || later === undefined || existsSync(join(dataDir, stateFileName(1)))) return;
  throw apart(dataDir, `${stateFileName(later)} is there, but log.db is new: log.db was lost`);
}

/** The log has what follows a snapshot that was taken here; the snapshot has the rest. */
function restoreLostState(stateFile: string, log: LogStore, snapshots: SnapshotStore): void {
  const { newest } = snapshots;
  if (newest === null || newest.last.index < log.compacted.index) return;
  verifySnapshot(newest.file);
  const copy = `${stateFile}.part`;
  removeDatabase(copy);
  // A log of the lost file would be taken for one of this.
  removeSideFiles(stateFile);
  namingFile(copy, () => copyFileSync(newest.file, copy));
  syncFile(copy);
  namingFile(stateFile, () => renameSync(copy, stateFile));
  syncDirectory(join(stateFile, '..'));
}

/** The log is synced before anything of it is applied, so the state can never be ahead of it. */
function checkTogether(dataDir: string, log: LogStore, state: StateMachine): void {
  const { applied } = state;
  const { compacted, lastLog } = log;
  if (applied.index > lastLog.index) {
    const what = `state.db has applied entry ${applied.index}, but log.db ends at entry ${lastLog.index}`;
    throw apart(dataDir, `${what}: log.db was lost, replaced or cut off`);
  }
  if (applied.index < compacted.index) {
    const what = `log.db begins behind entry ${compacted.index}, but state.db ends at entry ${applied.index}`;
    throw apart(dataDir, `${what}: state.db was lost or replaced`);
  }
  const logged = applied.index === compacted.index ? compacted : log.logId(applied.index);
  if (logged?.term !== applied.term) {
    const what = `entry ${applied.index} has term ${logged?.term} in log.db and term ${applied.term} in state.db`;
    throw apart(dataDir, `${what}: the files are of different nodes or times`);
  }
}

function apart(dataDir: string, what: string): StoreError {
  return new StoreError('damaged', `${dataDir}: ${what}; ${REBUILD_ADVICE}`);
}
