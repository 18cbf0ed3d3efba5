import { openForReading } from './database.ts';
import { removeDatabase, syncFile } from './durable-file.ts';
import {
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

/** Only one page after the other is read. */
const READ_CONNECTION = { busyTimeoutMs: 5000, pragmas: ['cache_size = -2048'] };

/**
 * Copies a state, as it is at one applied entry, into a snapshot file, and syncs it. It is one read transaction: the
 * writer goes on, but its write-ahead log cannot begin again before it ends. Throws a StoreError.
 */
export function buildSnapshot({ stateFile, to, cluster }: SnapshotPlan): SnapshotManifest {
  removeDatabase(to);
  const source = openForReading(stateFile, STATE_FORMAT, READ_CONNECTION);
  try {
    // Leaves out what is free, and the write-ahead log: one file that anyone can open.
    namingFile(to, () => source.prepare('VACUUM INTO ?').run(to));
  } finally {
    source.close();
  }
  namingFile(to, () => sealSnapshot(to, { cluster }));
  syncFile(to);
  return verifySnapshot(to);
}
