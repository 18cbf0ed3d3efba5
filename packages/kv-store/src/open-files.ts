import { copyFileSync, existsSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

/** Opens what is there, checks that it belongs together, and only then removes what a crash left half done. */
export function openFiles(dataDir: string, onStep: (step: SnapshotStep) => void): OpenFiles {
  const log = LogStore.open(join(dataDir, 'log.db'));
  try {
    const snapshots = SnapshotStore.open(join(dataDir, 'snapshots'), onStep);
    const stateFile = join(dataDir, stateFileName(log.stateGeneration));
    if (!existsSync(stateFile)) {
      checkNoLaterState(dataDir, log);
      if (log.compacted.index > 0) restoreLostState(stateFile, log, snapshots);
    }
    const state = openState(stateFile, log, snapshots);
    try {
      checkTogether(dataDir, log, state);
      checkSnapshot(dataDir, log, snapshots);
      removeStatesExcept(dataDir, log.stateGeneration);
      snapshots.removeOld();
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

/** A later state without the present one is no install that was cut short: this log is older than the state. */
function checkNoLaterState(dataDir: string, log: LogStore): void {
  const later = stateGenerations(dataDir).find((generation) => generation > log.stateGeneration);
  if (later === undefined) return;
  const what = `log.db belongs to ${stateFileName(log.stateGeneration)}, but there is only ${stateFileName(later)}`;
  throw apart(dataDir, `${what}: log.db was lost or replaced by an older one`);
}

/** A damaged state is worth nothing, but what makes it anew may be there: then no other node is needed. */
function openState(stateFile: string, log: LogStore, snapshots: SnapshotStore): StateMachine {
  try {
    return StateMachine.open(stateFile);
  } catch (error) {
    const isDamaged = error instanceof StoreError && error.code === 'damaged';
    if (!isDamaged || !isRestorable(log, snapshots)) throw error;
    const advice = `or remove ${stateFile} and ${stateFile}-wal and start again: the rest of the directory holds it all`;
    throw new StoreError('damaged', `${error.message}; ${advice}`, { cause: error });
  }
}

/** Whether the log, or the newest snapshot and what follows it in the log, makes the state. */
function isRestorable(log: LogStore, { newest }: SnapshotStore): boolean {
  return log.compacted.index === 0 || (newest !== null && newest.last.index >= log.compacted.index);
}

/** The log has what follows a snapshot that was taken here; the snapshot has the rest. */
function restoreLostState(stateFile: string, log: LogStore, snapshots: SnapshotStore): void {
  const { newest } = snapshots;
  if (newest === null || !isRestorable(log, snapshots)) return;
  verifySnapshot(newest.file);
  const copy = `${stateFile}.part`;
  removeDatabase(copy);
  // A log of the lost file would be taken for one of this.
  removeSideFiles(stateFile);
  namingFile(copy, () => copyFileSync(newest.file, copy));
  syncFile(copy);
  namingFile(stateFile, () => renameSync(copy, stateFile));
  syncDirectory(dirname(stateFile));
}

/** The log is synced before anything of it is applied, so the state can never be ahead of it. */
function checkTogether(dataDir: string, log: LogStore, state: StateMachine): void {
  const { applied } = state;
  const name = stateFileName(log.stateGeneration);
  const { compacted, lastLog } = log;
  if (applied.index > lastLog.index) {
    const what = `${name} has applied entry ${applied.index}, but log.db ends at entry ${lastLog.index}`;
    throw apart(dataDir, `${what}: log.db was lost, replaced or cut off`);
  }
  if (applied.index < compacted.index) {
    const what = `log.db begins behind entry ${compacted.index}, but ${name} ends at entry ${applied.index}`;
    throw apart(dataDir, `${what}: ${name} was lost or replaced`);
  }
  const logged = applied.index === compacted.index ? compacted : log.logId(applied.index);
  if (logged?.term !== applied.term) {
    const what = `entry ${applied.index} has term ${logged?.term} in log.db and term ${applied.term} in ${name}`;
    throw apart(dataDir, `${what}: the files are of different nodes or times`);
  }
}

/** A snapshot is taken of what was applied, and that was in the log. */
function checkSnapshot(dataDir: string, { lastLog }: LogStore, { newest }: SnapshotStore): void {
  if (newest === null || newest.last.index <= lastLog.index) return;
  const what = `a snapshot holds entry ${newest.last.index}, but log.db ends at entry ${lastLog.index}`;
  throw apart(dataDir, `${what}: log.db was lost, replaced or cut off`);
}

function apart(dataDir: string, what: string): StoreError {
  return new StoreError('damaged', `${dataDir}: ${what}; ${REBUILD_ADVICE}`);
}
