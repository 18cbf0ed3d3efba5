import type { Entry, HardState, LogId } from '@metad/raft-core';
import { encodeEntry } from './entry-codec.ts';
import type { LogStatements } from './log-statements.ts';
import type { NodeIdentity } from './node-identity.ts';

/** What must be on disk together. */
export interface LogBatch {
  /** Replaces whatever the log holds at or behind the first of them; contiguous with what stays. */
  readonly entries: readonly Entry[];
  readonly hardState: HardState | null;
  /**
   * Whether it must get on the disk. False only when nothing but `committed` moved: that value waits in memory until some
   * more entries are committed, as losing it costs a longer recovery and nothing else.
   */
  readonly sync: boolean;
}

/** A snapshot that becomes the state. */
export interface SnapshotSwitch {
  /** The last entry that it holds. */
  readonly last: LogId;
  /** The file that it is in by now. */
  readonly stateGeneration: number;
}

/** What one transaction writes beside a batch. */
export interface ExtraRows {
  readonly identity?: NodeIdentity;
  readonly snapshot?: SnapshotSwitch;
}

/** Writes a batch that was checked behind `lastLog`, or behind the snapshot. Must run inside a transaction. */
export function writeBatch(
  statements: LogStatements,
  lastLog: LogId,
  { entries, hardState }: LogBatch,
  { identity, snapshot }: ExtraRows,
): void {
  const [first] = entries;
  if (snapshot !== undefined) writeSwitch(statements, snapshot);
  else if (first !== undefined && first.index <= lastLog.index) statements.truncate.run(first.index);
  for (const entry of entries) statements.append.run(...encodeEntry(entry));
  if (hardState !== null) {
    statements.saveHardState.run(hardState.term, hardState.votedFor, hardState.committed);
  }
  if (identity !== undefined) {
    statements.saveIdentity.run(identity.node, identity.instance, identity.cluster);
  }
}

/** What is before the snapshot's last entry is left to `purge`: removing all of it here could take long. */
function writeSwitch(statements: LogStatements, { last, stateGeneration }: SnapshotSwitch): void {
  statements.truncate.run(last.index + 1);
  statements.saveCompacted.run(last.term, last.leader, last.index);
  statements.saveStateGeneration.run(stateGeneration);
}
