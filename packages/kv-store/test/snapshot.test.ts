import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SnapshotMeta } from '@metad/raft-core';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { buildSnapshot } from '../src/snapshot-file.ts';
import type { SnapshotReader } from '../src/snapshot-reader.ts';
import type { SnapshotOffer, SnapshotReceiver } from '../src/snapshot-receiver.ts';
import { StateDatabase } from '../src/state-database.ts';
import { Store } from '../src/store.ts';
import {
  dump,
  entry,
  membershipOf,
  openStore,
  put,
  temporaryDirectory,
  writeCommands,
  writeSynced,
} from './fixtures.ts';

function filledStore(directory = temporaryDirectory()): Store {
  const store = openStore(directory);
  const membership = entry(1, { type: 'membership', membership: membershipOf(1, 2) });
  writeSynced(store, { snapshot: null, entries: [membership], hardState: null });
  store.state.apply([membership]);
  for (let at = 0; at < 30; at++) writeCommands(store, put(`/n/${at}`, 'x'.repeat(1000)));
  return store;
}

function offerOf({ manifest }: SnapshotReader): SnapshotOffer {
  return { meta: manifest.meta, bytes: manifest.bytes, checksum: manifest.checksum };
}

/** Copies from `receiver.offset` on until `until` bytes are there. */
function transfer(reader: SnapshotReader, receiver: SnapshotReceiver, until = reader.manifest.bytes): void {
  while (receiver.offset < until) {
    receiver.writeSync(
      receiver.offset,
      reader.readSync(receiver.offset, Math.min(5000, until - receiver.offset)),
    );
  }
}

function newestOf(store: Store): SnapshotReader {
  const reader = store.snapshots.openNewestSync();
  if (reader === null) throw new Error('there is no snapshot');
  return reader;
}

function install(store: Store, snapshot: SnapshotMeta) {
  const hardState = { ...store.log.hardState, term: snapshot.last.term, committed: snapshot.last.index };
  return writeSynced(store, { snapshot, entries: [], hardState });
}

test('a snapshot is a plain file of the state at one entry, with what it is written in it', () => {
  const store = filledStore();
  const manifest = store.takeSnapshotSync();
  expect(manifest).toMatchObject({
    format: 1,
    featureLevel: 1,
    cluster: null,
    meta: { last: store.state.applied, membership: membershipOf(1, 2), membershipLogId: { index: 1 } },
    version: 30,
    digest: store.state.digest,
  });
  const file = store.snapshots.newest?.file ?? '';
  expect(readdirSync(join(file, '..'))).toEqual(['1-1-31.db']);
  expect(readFileSync(file)).toHaveLength(manifest.bytes);
  const db = new Database(file, { readonly: true });
  expect(db.prepare('SELECT count(*) FROM data').pluck().get()).toBe(30);
  expect(db.pragma('journal_mode', { simple: true })).toBe('delete');
  db.close();
  expect(dump(file)).toEqual(dump(store.stateFile));
});

test('whoever takes one may rest after each part of it', () => {
  const store = filledStore();
  writeCommands(store, ...Array.from({ length: 1200 }, (_, i) => put(`/many/${i}`, 'x')));
  let rests = 0;
  const to = join(temporaryDirectory(), 'copy.db');
  buildSnapshot({ stateFile: store.stateFile, to, cluster: null }, () => {
    rests += 1;
  });
  // Of the 1230 leaves the first 500 and the next, and so of the history of as many versions.
  expect(rests).toBe(4);
  expect(dump(to)).toEqual(dump(store.stateFile));
});

test('a thread of its own takes the same snapshot while writes go on', async () => {
  const store = filledStore();
  const building = store.takeSnapshot();
  expect(store.snapshots.isBuilding).toBe(true);
  writeCommands(store, put('/later', '1'));
  const manifest = await building;
  expect([31, 32]).toContain(manifest.meta.last.index);
  expect(store.snapshots.newest?.last).toEqual(manifest.meta.last);
  const reader = await store.snapshots.openNewest();
  expect(reader?.manifest).toEqual(manifest);
  await reader?.close();
});

test('a received snapshot becomes the state, and the log begins behind it', () => {
  const leader = filledStore();
  leader.takeSnapshotSync();
  const reader = newestOf(leader);
  const directory = temporaryDirectory();
  const follower = Store.open(directory);
  writeCommands(follower, put('/old', '1'), put('/old', '2'));
  const receiver = follower.snapshots.receive(offerOf(reader));
  transfer(reader, receiver);
  expect(receiver.finishSync()).toEqual({ type: 'complete', manifest: reader.manifest });
  const { meta } = reader.manifest;
  expect(install(follower, meta)).toEqual({
    applied: meta.last,
    version: 30,
    changes: [{ type: 'reset', version: 30 }],
    stateFile: join(directory, 'state-2.db'),
  });
  expect(follower.stateFile).toBe(join(directory, 'state-2.db'));
  expect(dump(follower.stateFile)).toEqual(dump(leader.stateFile));
  expect(follower.initialState()).toMatchObject({
    compacted: meta.last,
    lastLog: meta.last,
    applied: meta.last,
  });
  writeCommands(follower, put('/new', '1'));
  follower.removeReplacedStates();
  follower.close();
  const reopened = openStore(directory);
  expect(reopened.initialState()).toMatchObject({ compacted: { index: 31 }, lastLog: { index: 32 } });
  expect(reopened.state.version).toBe(31);
  expect(
    readdirSync(directory)
      .filter((name) => name.endsWith('.db'))
      .sort(),
  ).toEqual(['log.db', 'state-2.db']);
  reader.closeSync();
});

test('chunks travel off the thread as well, and a broken transfer of the same snapshot goes on', async () => {
  const leader = filledStore();
  await leader.takeSnapshot();
  const reader = newestOf(leader);
  const follower = openStore();
  const first = follower.snapshots.receive(offerOf(reader));
  expect(await first.write(0, await reader.read(0, 5000))).toEqual({ type: 'written', offset: 5000 });
  expect(await first.write(9000, await reader.read(9000, 10))).toEqual({ type: 'misplaced', offset: 5000 });
  expect(await first.finish()).toEqual({ type: 'incomplete', offset: 5000 });
  const second = follower.snapshots.receive(offerOf(reader));
  expect(second.offset).toBe(5000);
  while (second.offset < reader.manifest.bytes) {
    await second.write(second.offset, await reader.read(second.offset, 7000));
  }
  expect(await second.finish()).toEqual({ type: 'complete', manifest: reader.manifest });
  expect(await reader.read(reader.manifest.bytes, 10)).toHaveLength(0);
  await reader.close();
});

test('another snapshot begins anew', () => {
  const leader = filledStore();
  leader.takeSnapshotSync();
  const old = newestOf(leader);
  const follower = openStore();
  transfer(old, follower.snapshots.receive(offerOf(old)), 8000);
  writeCommands(leader, put('/later', '1'));
  leader.takeSnapshotSync();
  const newer = newestOf(leader);
  const receiver = follower.snapshots.receive(offerOf(newer));
  expect(receiver.offset).toBe(0);
  transfer(newer, receiver);
  expect(receiver.finishSync().type).toBe('complete');
  old.closeSync();
  newer.closeSync();
});

test('a snapshot that is being sent stays until it is closed', () => {
  const store = filledStore();
  store.takeSnapshotSync();
  const reader = newestOf(store);
  writeCommands(store, put('/later', '1'));
  store.takeSnapshotSync();
  const directory = join(store.snapshots.newest?.file ?? '', '..');
  expect(readdirSync(directory).sort()).toEqual(['1-1-31.db', '1-1-32.db']);
  expect(reader.readSync(0, 16)).toEqual(Buffer.from('SQLite format 3\0'));
  reader.closeSync();
  expect(readdirSync(directory)).toEqual(['1-1-32.db']);
});

/** Copies of a file, each with one bit turned somewhere else. */
function* damagedCopies(whole: Buffer, step: number): Generator<Buffer> {
  for (let at = 7; at < whole.length; at += step) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    yield bytes;
  }
}

test('a damaged byte is found wherever it lies in what is received', () => {
  const leader = filledStore();
  leader.takeSnapshotSync();
  const reader = newestOf(leader);
  const follower = openStore();
  const whole = Buffer.from(reader.readSync(0, 1024 * 1024));
  for (const bytes of damagedCopies(whole, 997)) {
    const receiver = follower.snapshots.receive(offerOf(reader));
    receiver.writeSync(0, bytes);
    expect(receiver.finishSync()).toMatchObject({ type: 'refused' });
    expect(follower.snapshots.received).toBeNull();
  }
  reader.closeSync();
});

test('a damaged byte is found wherever it lies in what would be sent', () => {
  const directory = temporaryDirectory();
  const before = filledStore(directory);
  before.takeSnapshotSync();
  before.close();
  const file = join(directory, 'snapshots', '1-1-31.db');
  for (const bytes of damagedCopies(readFileSync(file), 4999)) {
    writeFileSync(file, bytes);
    const store = Store.open(directory);
    expect(store.snapshots.newest?.file).toBe(file);
    expect(store.snapshots.openNewestSync()).toBeNull();
    expect(store.snapshots.newest).toBeNull();
    store.close();
  }
});

test('what was received whole is installed, also when another transfer has begun since', () => {
  const leader = filledStore();
  leader.takeSnapshotSync();
  const old = newestOf(leader);
  const follower = openStore();
  transfer(old, follower.snapshots.receive(offerOf(old)));
  follower.snapshots.receive(offerOf(old)).finishSync();
  writeCommands(leader, put('/later', '1'));
  leader.takeSnapshotSync();
  const newer = newestOf(leader);
  transfer(newer, follower.snapshots.receive(offerOf(newer)), 5000);
  install(follower, old.manifest.meta);
  expect(follower.state.applied.index).toBe(31);
  const receiver = follower.snapshots.receive(offerOf(newer));
  expect(receiver.offset).toBe(5000);
  transfer(newer, receiver);
  receiver.finishSync();
  install(follower, newer.manifest.meta);
  expect(follower.state.applied.index).toBe(32);
  expect(follower.snapshots.received).toBeNull();
  old.closeSync();
  newer.closeSync();
});

test('a snapshot that was damaged after it was taken is found when a receiver refuses it', () => {
  const store = filledStore();
  store.takeSnapshotSync();
  const file = store.snapshots.newest?.file ?? '';
  const bytes = readFileSync(file);
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  const reader = newestOf(store);
  const receiver = openStore().snapshots.receive(offerOf(reader));
  transfer(reader, receiver);
  expect(receiver.finishSync().type).toBe('refused');
  reader.closeSync();
  store.snapshots.doubt();
  expect(store.snapshots.openNewestSync()).toBeNull();
});

test('what was received in vain can be dropped', () => {
  const directory = temporaryDirectory();
  const leader = filledStore();
  leader.takeSnapshotSync();
  const reader = newestOf(leader);
  const follower = openStore(directory);
  const receiver = follower.snapshots.receive(offerOf(reader));
  transfer(reader, receiver);
  receiver.finishSync();
  expect(readdirSync(join(directory, 'snapshots'))).toHaveLength(1);
  follower.snapshots.dropReceived();
  expect(readdirSync(join(directory, 'snapshots'))).toEqual([]);
  reader.closeSync();
});

test('a snapshot that cannot be taken leaves nothing behind, and another one can be taken', async () => {
  const directory = temporaryDirectory();
  const store = filledStore(directory);
  const source = { stateFile: join(directory, 'nowhere.db'), cluster: null };
  await expect(store.snapshots.build(source)).rejects.toThrow(expect.objectContaining({ code: 'io' }));
  expect(() => store.snapshots.buildSync(source)).toThrow(expect.objectContaining({ code: 'io' }));
  expect(readdirSync(join(directory, 'snapshots'))).toEqual([]);
  expect(store.takeSnapshotSync().meta.last.index).toBe(31);
});

test('a store that closes ends the snapshot that it takes', async () => {
  const store = filledStore();
  const building = expect(store.takeSnapshot()).rejects.toThrow(
    expect.objectContaining({ name: 'AbortError' }),
  );
  store.close();
  await building;
});

test('a reader that is told of an installed snapshot goes on with the new state', () => {
  const leader = filledStore();
  leader.takeSnapshotSync();
  const reader = newestOf(leader);
  const follower = openStore();
  writeCommands(follower, put('/old', '1'));
  const database = StateDatabase.open(follower.stateFile);
  const cursor = database.openCursor();
  const receiver = follower.snapshots.receive(offerOf(reader));
  transfer(reader, receiver);
  receiver.finishSync();
  const told = install(follower, reader.manifest.meta);
  expect(
    database.read((view) => view.version()),
    'it still reads the old file',
  ).toBe(1);
  if (told?.stateFile === undefined) throw new Error('nobody was told');
  database.reopen(told.stateFile);
  follower.removeReplacedStates();
  expect(database.read((view) => view.version())).toBe(30);
  expect(cursor.view.version(), 'a cursor goes on with what it began').toBe(1);
  cursor.close();
  database.close();
  reader.closeSync();
});
