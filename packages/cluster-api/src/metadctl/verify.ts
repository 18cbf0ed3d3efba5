import { existsSync, statSync } from 'node:fs';
import { type SnapshotManifest, StoreError, verifyBackup, verifyDataDirectory } from '@metad/kv-store';
import type { InitialState } from '@metad/raft-core';
import { QuarantineError, refuseQuarantined } from '../quarantine.ts';
import { CommandError } from './command-error.ts';
import {
  backupLines,
  contentDigest,
  contentRows,
  formatBytes,
  formatLogId,
  formatMembers,
  table,
} from './describe.ts';

/**
 * Reads each backup or data directory to its last byte and says what it holds. Several backups of one cluster at one log
 * index are compared: whatever nodes they were taken from hold the same then. Throws when one is not whole, when they
 * differ, or can't be compared.
 */
export function verify(paths: readonly string[], print: (text: string) => void): void {
  const backups: VerifiedBackup[] = [];
  for (const path of paths) {
    if (!isDirectory(path)) backups.push(verifyFile(path, print));
    else if (paths.length === 1) verifyDirectory(path, print);
    else throw new CommandError(`${path} is a directory: only backups are compared`);
  }
  const [first, ...others] = backups;
  if (first === undefined || others.length === 0) return;
  for (const other of others) expectAlike(first, other);
  print(`all ${backups.length} backups hold the same`);
}

interface VerifiedBackup {
  readonly path: string;
  readonly manifest: SnapshotManifest;
}

function verifyFile(path: string, print: (text: string) => void): VerifiedBackup {
  const manifest = verifyBackup(path);
  print(`${path} is whole: a backup of ${formatBytes(manifest.bytes)}`);
  print(backupLines(path, manifest));
  return { path, manifest };
}

function expectAlike(one: VerifiedBackup, other: VerifiedBackup): void {
  const place = ({ manifest }: VerifiedBackup) =>
    `${formatLogId(manifest.meta.last)} of cluster ${manifest.cluster ?? 'unknown'}`;
  if (place(one) !== place(other)) {
    throw new CommandError(
      `${one.path} is at ${place(one)}, ${other.path} at ${place(other)}: ` +
        'take them again while nobody writes, to compare them',
    );
  }
  if (one.manifest.digest !== other.manifest.digest) throw differ(one, other, 'their digests');
  if (contentDigest(one.path) !== contentDigest(other.path)) throw differ(one, other, 'their content');
}

function differ(one: VerifiedBackup, other: VerifiedBackup, where: string): CommandError {
  return new CommandError(
    `${one.path} and ${other.path} differ in ${where}, though both are at ${formatLogId(one.manifest.meta.last)}: ` +
      'a third one tells which node is wrong and has to be rebuilt',
  );
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

/** What is not there is none: whoever reads it as a backup says so. */
function isDirectory(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}
