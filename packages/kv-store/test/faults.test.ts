import {
  copyFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { logIndex, nodeId, term } from '@metad/raft-core';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { Store } from '../src/store.ts';
import { catchUp, dump, openStore, put, temporaryDirectory, writeCommands, writeSynced } from './fixtures.ts';

const advice = 'remove this node from the cluster, empty its data directory and add it again';

function damaged(...parts: string[]) {
  const message = expect.stringMatching(new RegExp(parts.join('.*')));
  return expect.objectContaining({ name: 'StoreError', code: 'damaged', message });
}

/** Writes `count` small entries. */
function fill(store: Store, count: number): void {
  for (let at = 0; at < count; at++) writeCommands(store, put(`/n/${at % 10}`, `${store.log.lastLog.index}`));
}

/** A closed directory whose log begins behind entry 20, and ends at 40; with a snapshot at entry 30 if wanted. */
function compactedDirectory(snapshot: boolean): string {
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  fill(store, 30);
  if (snapshot) store.takeSnapshotSync();
  fill(store, 10);
  store.compact(logIndex(20));
  store.log.purge();
  store.close();
  return directory;
}

/** A closed directory whose state came as a snapshot of 30 entries. */
function installedDirectory(): string {
  const leader = openStore();
  fill(leader, 30);
  leader.takeSnapshotSync();
  const reader = leader.snapshots.openNewestSync();
  if (reader === null) throw new Error('there is no snapshot');
  const { meta, bytes, checksum } = reader.manifest;
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  store.log.saveIdentity({ node: nodeId(2), instance: 'i', cluster: 'c' });
  const receiver = store.snapshots.receive({ meta, bytes, checksum });
  receiver.writeSync(0, reader.readSync(0, bytes));
  receiver.finishSync();
  const hardState = { term: term(1), votedFor: null, committed: meta.last.index };
  writeSynced(store, { snapshot: meta, entries: [], hardState });
  fill(store, 5);
  store.close();
  Store.open(directory).close();
  return directory;
}

test('a state that was lost behind a compacted log is made again from the newest snapshot', () => {
  const directory = compactedDirectory(true);
  const before = dump(join(directory, 'state.db'));
  rmSync(join(directory, 'state.db'));
  const store = openStore(directory);
  expect(store.state.applied.index).toBe(30);
  catchUp(store);
  expect(dump(store.stateFile)).toEqual(before);
  expect(store.snapshots.newest?.last.index, 'the snapshot stays').toBe(30);
});

test('a write-ahead log of the lost state is not taken for one of the state made again', () => {
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  fill(store, 30);
  store.takeSnapshotSync();
  fill(store, 10);
  store.compact(logIndex(20));
  const crashed = join(temporaryDirectory(), 'crashed');
  cpSync(directory, crashed, { recursive: true });
  const before = dump(store.stateFile);
  store.close();
  expect(statSync(join(crashed, 'state.db-wal')).size).toBeGreaterThan(0);
  rmSync(join(crashed, 'state.db'));
  const reopened = openStore(crashed);
  expect(reopened.state.applied.index).toBe(30);
  catchUp(reopened);
  expect(dump(reopened.stateFile)).toEqual(before);
});

test('a state that was lost behind a compacted log and has no snapshot is refused', () => {
  const directory = compactedDirectory(false);
  rmSync(join(directory, 'state.db'));
  const message = ['log.db begins behind entry 20, but state.db ends at entry 0', 'lost or replaced', advice];
  expect(() => Store.open(directory)).toThrow(damaged(...message));
});

test('a state that was lost is not made from a damaged snapshot', () => {
  const directory = compactedDirectory(true);
  rmSync(join(directory, 'state.db'));
  const file = join(directory, 'snapshots', '1-1-30.db');
  const bytes = readFileSync(file);
  bytes[bytes.length - 100] = (bytes.at(-100) ?? 0) ^ 1;
  writeFileSync(file, bytes);
  expect(() => Store.open(directory)).toThrow(damaged('1-1-30.db is damaged: its bytes do not match'));
});

test('who finds a damaged state is told when the rest of the directory makes it again', () => {
  const directory = compactedDirectory(true);
  const before = dump(join(directory, 'state.db'));
  truncateSync(join(directory, 'state.db'), 5000);
  expect(() => Store.open(directory)).toThrow(damaged('state.db', `or remove ${directory}/state.db and`));
  rmSync(join(directory, 'state.db'));
  const store = openStore(directory);
  catchUp(store);
  expect(dump(store.stateFile)).toEqual(before);
});

test('who finds a damaged state that nothing makes again is not told so', () => {
  const directory = compactedDirectory(false);
  truncateSync(join(directory, 'state.db'), 5000);
  expect(() => Store.open(directory)).toThrow(damaged(`${advice}, or restore a backup$`));
});

test('a log that was lost behind an installed snapshot is not taken for a new one', () => {
  const directory = installedDirectory();
  rmSync(join(directory, 'log.db'));
  const message = ['log.db belongs to state.db, but there is only state-2.db', 'lost or replaced', advice];
  expect(() => Store.open(directory)).toThrow(damaged(...message));
  expect(readdirSync(directory), 'and the state stays, for whoever looks into it').toContain('state-2.db');
});

test('a log that was lost beside a snapshot is not taken for a new one', () => {
  const directory = compactedDirectory(true);
  for (const name of ['log.db', 'state.db']) rmSync(join(directory, name));
  const message = 'a snapshot holds entry 30, but log.db ends at entry 0: log.db was lost';
  expect(() => Store.open(directory)).toThrow(damaged(message, advice));
});

test('a log of an earlier time beside an installed snapshot is refused', () => {
  const directory = temporaryDirectory();
  const old = Store.open(directory);
  fill(old, 5);
  old.close();
  const installed = installedDirectory();
  copyFileSync(join(directory, 'log.db'), join(installed, 'log.db'));
  expect(() => Store.open(installed)).toThrow(damaged('there is only state-2.db'));
});

test.each(['idx = 21', 'idx <= 25', 'idx = 40'])(
  'a compacted log without its entries %s is named',
  (rows) => {
    const directory = compactedDirectory(false);
    const db = new Database(join(directory, 'log.db'));
    db.exec(`DELETE FROM entry WHERE ${rows}`);
    db.close();
    expect(() => Store.open(directory)).toThrow(damaged('log.db', advice));
  },
);

test('a lost compaction leaves the log as it was before', () => {
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  fill(store, 20);
  const { size } = statSync(join(directory, 'log.db-wal'));
  store.compact(logIndex(15));
  store.log.purge();
  const crashed = join(temporaryDirectory(), 'crashed');
  cpSync(directory, crashed, { recursive: true });
  store.close();
  truncateSync(join(crashed, 'log.db-wal'), size);
  const reopened = openStore(crashed);
  expect(reopened.initialState()).toMatchObject({ compacted: { index: 0 }, lastLog: { index: 20 } });
  expect(reopened.log.entries({ from: logIndex(1), to: logIndex(21), maxBytes: 1e9 })).toHaveLength(20);
});

test('what a power failure takes of the state, a compacted log still gives back', () => {
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  fill(store, 30);
  store.compact(logIndex(30));
  const { size } = statSync(`${store.stateFile}-wal`);
  fill(store, 10);
  const expected = store.state.digest;
  const crashed = join(temporaryDirectory(), 'crashed');
  cpSync(directory, crashed, { recursive: true });
  store.close();
  truncateSync(join(crashed, 'state.db-wal'), size);
  const reopened = openStore(crashed);
  expect(reopened.state.applied.index).toBe(30);
  catchUp(reopened);
  expect(reopened.state.digest).toBe(expected);
});

test('foreign files beside the snapshots are left alone', () => {
  const directory = compactedDirectory(true);
  const mine = join(directory, 'snapshots', 'before-upgrade.db');
  writeFileSync(mine, 'mine');
  openStore(directory).takeSnapshotSync();
  expect(readdirSync(join(directory, 'snapshots')).sort()).toEqual(['1-1-40.db', 'before-upgrade.db']);
});
