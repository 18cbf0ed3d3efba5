import { copyDatabase } from './copy-database.ts';
import { openForReading } from './database.ts';
import { removeDatabase, syncFile } from './durable-file.ts';
import {
  MANIFEST_TABLE,
  type SnapshotManifest,
  type SnapshotOrigin,
  sealSnapshot,
  verifySnapshot,
} from './snapshot-manifest.ts';
import { STATE_FORMAT } from './state-schema.ts';
import { namingFile } from './store-error.ts';

/** What to make a snapshot of, and where. */
export interface SnapshotPlan extends SnapshotOrigin {
  /** The state's file, which its writer may go on writing. */
  readonly stateFile: string;
  /** The snapshot's; what is there is replaced. */
  readonly to: string;
}

/**
 * Copies a state, as it is at one applied entry, into a snapshot file, and syncs it. It is one read transaction: the
 * writer goes on, but its write-ahead log cannot begin again before it ends. Calls `rest` in between. Throws a StoreError.
 */
export function buildSnapshot(
  { stateFile, to, cluster }: SnapshotPlan,
  rest: () => void = () => undefined,
): SnapshotManifest {
  removeDatabase(to);
  // Says what is wrong with the state in its own name.
  openForReading(stateFile, STATE_FORMAT, { busyTimeoutMs: 5000, pragmas: [] }).close();
  namingFile(to, () => {
    copyDatabase({ from: stateFile, to, format: STATE_FORMAT, without: MANIFEST_TABLE, rest });
    sealSnapshot(to, { cluster });
  });
  syncFile(to);
  return verifySnapshot(to);
}
