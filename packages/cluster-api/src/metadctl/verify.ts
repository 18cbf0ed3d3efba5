import { statSync } from 'node:fs';
import { StoreError, verifyBackup, verifyDataDirectory } from '@metad/kv-store';
import type { InitialState } from '@metad/raft-core';
import { QuarantineError, refuseQuarantined } from '../quarantine.ts';
import { reasonOf } from '../reason.ts';
import { CommandError } from './command-error.ts';
import { backupLines, contentRows, formatBytes, formatLogId, formatMembers, table } from './describe.ts';

/** Reads a backup or a data directory to its last byte and says what it holds. Throws when it is not whole. */
export function verify(path: string, print: (text: string) => void): void {
  if (isDirectory(path)) {
    verifyDirectory(path, print);
    return;
  }
  const manifest = verifyBackup(path);
  print(`${path} is whole: a backup of ${formatBytes(manifest.bytes)}`);
  print(backupLines(path, manifest));
}

function verifyDirectory(path: string, print: (text: string) => void): void {
  const { identity, initial, version, featureLevel, digest, snapshot, stateFile } = readDirectory(path);
  const membership = initial.memberships.at(-1)?.membership;
  print(`${path} is whole: the data directory of ${identity ? `node ${identity.node}` : 'no node yet'}`);
  print(
    table([
      ['version', String(version)],
      ...contentRows(stateFile),
      ['applied', formatLogId(initial.applied)],
      ['log', formatLog(initial)],
      ['snapshot', snapshot === null ? 'none' : formatLogId(snapshot)],
      ['cluster', identity?.cluster ?? 'none yet'],
      ['members', membership ? formatMembers(membership) : 'none'],
      ['level', String(featureLevel)],
      ['digest', digest],
    ]),
  );
}

function formatLog({ compacted, lastLog }: InitialState): string {
  if (lastLog.index === compacted.index) return `nothing behind index ${compacted.index}`;
  return `entries ${compacted.index + 1} to ${lastLog.index}`;
}

function readDirectory(path: string): ReturnType<typeof verifyDataDirectory> {
  try {
    // Its files may be whole all the same: what is in them is not what the other nodes have.
    refuseQuarantined(path);
    return verifyDataDirectory(path);
  } catch (error) {
    if (error instanceof QuarantineError) throw new CommandError(error.message);
    if (!(error instanceof StoreError) || error.code !== 'locked') throw error;
    throw new CommandError(
      `${path} is in use by a running node: stop it first, or take a backup of it and verify that`,
    );
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw new CommandError(`cannot read ${path}: ${reasonOf(error)}`);
  }
}
