import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type InitialState, type LogId, logIndex } from '@metad/raft-core';
import { verifyBackup } from './backup.ts';
import type { NodeIdentity } from './node-identity.ts';
import { stateFileName, stateGenerations } from './state-files.ts';
import { Store } from './store.ts';
import { StoreError } from './store-error.ts';
import type { Version } from './version.ts';

/** What a data directory holds, all of it read and found whole. */
export interface DirectoryReport {
  /** Null: no node was ever started here with success. */
  readonly identity: NodeIdentity | null;
  readonly initial: InitialState;
  /** Where a StateDatabase may look further, for as long as no node is started here. */
  readonly stateFile: string;
  readonly version: Version;
  /** Hex; see StateMachine. */
  readonly digest: string;
  readonly featureLevel: number;
  /** The newest snapshot. */
  readonly snapshot: LogId | null;
}

/** How many bytes of entries are held at once. */
const maxReadBytes = 4 * 1024 * 1024;

/**
 * Reads everything in the data directory of a node that is not running. Blocks the thread. Throws a StoreError that
 * says what is wrong: `locked` while the node runs.
 */
export function verifyDataDirectory(dataDir: string): DirectoryReport {
  if (!existsSync(join(dataDir, 'log.db'))) {
    throw new StoreError('io', `${dataDir} has no log.db: it is no data directory of a node`);
  }
  // Opening the store would make one.
  if (!hasState(dataDir)) {
    throw new StoreError(
      'damaged',
      `${dataDir} has no state: a node that is started here makes it anew where its log has all entries, or says what to do`,
    );
  }
  const store = Store.open(dataDir);
  try {
    store.log.checkPages();
    store.state.checkPages();
    readEntries(store);
    const { newest } = store.snapshots;
    if (newest !== null) verifyBackup(newest.file);
    return {
      identity: store.log.identity(),
      initial: store.initialState(),
      stateFile: store.stateFile,
      version: store.state.version,
      digest: store.state.digest,
      featureLevel: store.state.featureLevel,
      snapshot: newest?.last ?? null,
    };
  } finally {
    store.close();
  }
}

function hasState(dataDir: string): boolean {
  const files = stateGenerations(dataDir).map((generation) => join(dataDir, stateFileName(generation)));
  return files.some((file) => existsSync(file) && statSync(file).size > 0);
}

/** Every entry has a checksum, which is checked whenever it is read. */
function readEntries({ log }: Store): void {
  const to = logIndex(log.lastLog.index + 1);
  for (let next = log.compacted.index + 1; next < to; ) {
    next += log.entries({ from: logIndex(next), to, maxBytes: maxReadBytes }).length;
  }
}
