import { join } from 'node:path';
import { AssertionError } from '@metad/raft-core';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test, vi } from 'vitest';
import { verifyBackup } from '../src/backup.ts';
import { decodeCommand, encodeCommand } from '../src/command-codec.ts';
import { MAX_FEATURE_LEVEL } from '../src/feature-level.ts';
import { restoreBackup } from '../src/restore.ts';
import { sealSnapshot } from '../src/snapshot-manifest.ts';
import { StateMachine } from '../src/state-machine.ts';
import { Store } from '../src/store.ts';
import {
  catchUp,
  commandEntry,
  lookInto,
  membershipOf,
  openStore,
  put,
  temporaryDirectory,
  writeCommands,
} from './fixtures.ts';
import { createOldState } from './old-states.ts';

// This file is a release that knows two levels more than the first, whatever the real one knows.
vi.mock('../src/feature-level.ts', async (original) => ({
  ...(await original<typeof import('../src/feature-level.ts')>()),
  MAX_FEATURE_LEVEL: 3,
}));

const raise = (level: number) => ({ type: 'setFeatureLevel', level }) as const;

const UNKNOWN = { code: 'newerFormat', message: expect.stringMatching(/feature level 4, .* up to 3: /) };

/** Does to a state what only a later release could. */
function edit(file: string, sql: string): void {
  const db = new Database(file);
  db.exec(sql);
  db.close();
}

test('a new state is at the first level, whatever the release knows', () => {
  expect(MAX_FEATURE_LEVEL).toBe(3);
  expect(openStore().state.featureLevel).toBe(1);
});

test('the level rises with an entry and never falls, and makes no version', () => {
  const store = openStore();
  writeCommands(store, put('/a', '1'));
  const levels = [3, 2, 3].map((level) => {
    writeCommands(store, raise(level));
    return store.state.featureLevel;
  });
  expect(levels).toEqual([3, 3, 3]);
  expect(store.state.version).toBe(1);
  expect(lookInto(store.stateFile, (view) => view.featureLevel())).toBe(3);
});

test('it is there after a restart, and in snapshots and backups', () => {
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  writeCommands(store, put('/a', '1'), raise(2));
  store.close();
  const again = openStore(directory);
  expect(again.state.featureLevel).toBe(2);
  const backup = again.takeSnapshotSync();
  expect(backup.featureLevel).toBe(2);
  const dataDir = join(temporaryDirectory(), 'restored');
  const identity = {
    node: membershipOf(7).configs[0]?.[0] ?? expect.unreachable(),
    instance: 'i',
    cluster: 'c',
  };
  const file = again.snapshots.newest?.file ?? '';
  restoreBackup({ backup: file, dataDir, membership: membershipOf(7), identity });
  expect(openStore(dataDir).state.featureLevel).toBe(2);
});

test('a node does not apply a level that its release does not know, nor after a restart', () => {
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  writeCommands(store, put('/a', '1'));
  expect(() => writeCommands(store, raise(4), put('/a', '2'))).toThrow(expect.objectContaining(UNKNOWN));
  expect(() => store.state.apply([])).toThrow(/feature level 4/);
  store.close();
  const again = openStore(directory);
  expect(again.state).toMatchObject({ version: 1, featureLevel: 1, applied: { index: 1 } });
  expect(() => catchUp(again)).toThrow(/entry 2 of term 1 raises the cluster to feature level 4/);
});

test('a node does not start on a state of a level that its release does not know', () => {
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  writeCommands(store, put('/a', '1'));
  const { stateFile } = store;
  store.close();
  edit(stateFile, 'UPDATE state SET feature_level = 4');
  expect(() => Store.open(directory)).toThrow(expect.objectContaining(UNKNOWN));
  expect(() => Store.open(directory)).toThrow(
    /state\.db has feature level 4, .*: start this node with the release/,
  );
});

test('a snapshot or backup of such a level is refused, and so is its installation', async () => {
  const store = openStore();
  writeCommands(store, put('/a', '1'));
  store.takeSnapshotSync();
  const file = store.snapshots.newest?.file ?? '';
  edit(file, 'DROP TABLE manifest; UPDATE state SET feature_level = 4');
  sealSnapshot(file, { cluster: null });
  expect(() => verifyBackup(file)).toThrow(expect.objectContaining(UNKNOWN));
  expect(() => verifyBackup(file)).toThrow(/run the release of the cluster that it is from/);
  expect(() => StateMachine.open(file)).toThrow(expect.objectContaining(UNKNOWN));
});

test('a state of the first release is at the first level, and rises like any other', () => {
  const file = join(temporaryDirectory(), 'state.db');
  createOldState(file, 1);
  const upgraded = StateMachine.open(file);
  onTestFinished(() => upgraded.close());
  expect(upgraded).toMatchObject({ featureLevel: 1, version: 2 });
  upgraded.apply([commandEntry(3, raise(2))]);
  expect(upgraded.featureLevel).toBe(2);
});

test('commands come back, and levels that are none are refused', () => {
  for (const level of [1, 2, 127]) expect(decodeCommand(encodeCommand(raise(level)))).toEqual(raise(level));
  for (const level of [0, 128, 1.5, -1, Number.NaN]) {
    expect(() => encodeCommand(raise(level))).toThrow(/a feature level is 1 to 127/);
  }
});

test('a command is not encoded for a level before the one that brought it', () => {
  expect(() => encodeCommand(put('/a', '1'), 0)).toThrow(AssertionError);
  expect(() => encodeCommand(put('/a', '1'), 0)).toThrow('merge needs feature level 1, not 0');
  expect(encodeCommand(put('/a', '1'), 3)).toEqual(encodeCommand(put('/a', '1'), 1));
});
