import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { bootstrapLog, type InitialState, logIndex, type Membership } from '@metad/raft-core';
import { LogStore, type NodeIdentity } from './log-store.ts';
import { StateMachine } from './state-machine.ts';
import { REBUILD_ADVICE, StoreError } from './store-error.ts';

/** Everything that one node keeps on its disk. */
export class Store {
  readonly log: LogStore;
  readonly state: StateMachine;
  /** Where other threads open a StateDatabase. */
  readonly stateFile: string;

  private constructor(log: LogStore, state: StateMachine, stateFile: string) {
    this.log = log;
    this.state = state;
    this.stateFile = stateFile;
  }

  /**
   * Opens a data directory and creates it when absent. Throws a StoreError: `locked` while another process has it,
   * `damaged` when a file is corrupt or the files do not belong together, `newerFormat`, `io`.
   */
  static open(dataDir: string): Store {
    createDirectory(resolve(dataDir));
    const stateFile = join(dataDir, 'state.db');
    const log = LogStore.open(join(dataDir, 'log.db'));
    try {
      const state = StateMachine.open(stateFile);
      try {
        checkTogether(dataDir, log, state);
        return new Store(log, state, stateFile);
      } catch (error) {
        state.close();
        throw error;
      }
    } catch (error) {
      log.close();
      throw error;
    }
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

  /** Writes what still waits in memory, and lets others have the directory. */
  close(): void {
    this.state.close();
    this.log.close();
  }
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

/** Makes the directory, for this user only, and what is missing above it; makes their names durable. */
function createDirectory(directory: string): void {
  try {
    const first = mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    for (let made = directory; made !== dirname(first); made = dirname(made)) syncDirectory(dirname(made));
  } catch (error) {
    throw new StoreError('io', `cannot create the data directory ${directory}`, { cause: error });
  }
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
