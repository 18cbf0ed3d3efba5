import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeId } from '@metad/raft-core';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { verifyBackup } from '../src/backup.ts';
import { restoreBackup, VERSION_STEP, versionAfterRestore } from '../src/restore.ts';
import { Store } from '../src/store.ts';
import { verifyDataDirectory } from '../src/verify-directory.ts';
import { version } from '../src/version.ts';
import {
  dump,
  membershipOf,
  openStore,
  put,
  rowVersion,
  temporaryDirectory,
  writeCommands,
} from './fixtures.ts';

const identity = { node: nodeId(7), instance: 'fresh', cluster: 'new cluster' };

function filledStore(directory = temporaryDirectory()): Store {
  const store = Store.open(directory);
  writeCommands(store, put('/a/b', '1'), put('/c', '2'), put('/c', '3'), {
    type: 'setRules',
    rules: [['10.0.0.1', [{ path: '/', mode: 1 }]]],
  });
  return store;
}

const never = new AbortController().signal;

/** A backup of a store that goes on. */
async function backupOf(store: Store): Promise<string> {
  const to = join(temporaryDirectory(), 'backup.db');
  await store.writeBackup(to, never);
  return to;
}

test('a backup is one file with the state of a running node, and replaces an older one', async () => {
  const store = filledStore();
  const to = await backupOf(store);
  expect(verifyBackup(to)).toMatchObject({ cluster: null, version: 4, digest: store.state.digest });
  expect(dump(to)).toEqual(dump(store.stateFile));
  writeCommands(store, put('/later', '1'));
  await store.writeBackup(to, never);
  expect(verifyBackup(to)).toMatchObject({ version: 5 });
  store.close();
});

test('a backup is written beside a thread that goes on, and can be called off', async () => {
  const store = filledStore();
  const to = join(temporaryDirectory(), 'backup.db');
  const calledOff = AbortSignal.abort(new Error('nobody wants it'));
  await expect(store.writeBackup(to, calledOff)).rejects.toThrow('nobody wants it');
  expect(existsSync(to)).toBe(false);
  const written = store.writeBackup(to, never);
  writeCommands(store, put('/later', '1'));
  const manifest = await written;
  // It holds what is applied when the thread begins to read.
  expect([4, 5]).toContain(manifest.version);
  expect(verifyBackup(to)).toEqual(manifest);
  expect(dump(to)).toMatchObject({ version: manifest.version });
  store.close();
});

test('a backup with a damaged byte is named', async () => {
  const store = filledStore();
  const file = await backupOf(store);
  store.close();
  const bytes = readFileSync(file);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(file, bytes);
  expect(() => verifyBackup(file)).toThrow(/backup\.db is damaged: its bytes do not match its checksum/);
});

test('what is no backup at all is named, with advice that fits a backup', () => {
  const file = join(temporaryDirectory(), 'notes.txt');
  writeFileSync(file, 'This is my shopping list. '.repeat(400));
  expect(() => verifyBackup(file)).toThrow(
    /notes\.txt: .*the file is damaged; take another snapshot or backup$/,
  );
});

test('what can’t be read at all is said to be that, not to be damaged', () => {
  const directory = temporaryDirectory();
  const missing = join(directory, 'missing');
  expect(() => verifyBackup(missing)).toThrow(`cannot read ${missing}: there is no such file`);
  expect(() => verifyBackup(directory)).toThrow(`cannot read ${directory}: it is a directory, not a backup`);
});

test('a state file is no backup, and neither is one of a newer release', async () => {
  const store = filledStore();
  const file = await backupOf(store);
  expect(() => verifyBackup(store.stateFile)).toThrow(/has no manifest/);
  store.close();
  const db = new Database(file);
  db.exec('UPDATE manifest SET feature_level = 9');
  db.close();
  expect(() => verifyBackup(file)).toThrow(expect.objectContaining({ code: 'newerFormat' }));
});

test('a restored directory begins a new cluster with the same rows and a version beyond any handed out', async () => {
  const before = filledStore();
  const rows = dump(before.stateFile);
  const backup = await backupOf(before);
  before.close();
  const dataDir = join(temporaryDirectory(), 'data');
  const restored = restoreBackup({ backup, dataDir, membership: membershipOf(7), identity });
  expect(restored).toMatchObject({ version: VERSION_STEP, backup: { version: 4 } });
  const store = openStore(dataDir);
  const first = { term: 1, leader: 7, index: 1 };
  expect(store.log.identity()).toEqual(identity);
  expect(store.initialState()).toEqual({
    hardState: { term: 1, votedFor: 7, committed: 1 },
    compacted: first,
    lastLog: first,
    applied: first,
    memberships: [{ logId: first, membership: membershipOf(7) }],
  });
  const { tables, history, ...seen } = dump(store.stateFile);
  const { tables: tablesBefore, history: historyBefore, ...seenBefore } = rows;
  expect(seen).toEqual({ ...seenBefore, applied: first, version: VERSION_STEP });
  expect({ ...tables, state: [], history: [] }).toEqual({ ...tablesBefore, state: [], history: [] });
  const [marker, ...older] = history;
  expect(marker).toMatchObject({ version: VERSION_STEP, author: 'restored from a backup', changes: null });
  expect(older).toEqual(historyBefore);
  writeCommands(store, put('/new', '1'));
  expect(store.state.version).toBe(VERSION_STEP + 1);
  // What a client saw of the old cluster after the backup may be anything: only what it sees now counts.
  expect(rowVersion(store.stateFile, '/a/b')).toBe(VERSION_STEP);
  expect(verifyBackup(await backupOf(store)).cluster).toBe('new cluster');
});

test('a backup is not restored over anything', async () => {
  const store = filledStore();
  const backup = await backupOf(store);
  store.close();
  const dataDir = temporaryDirectory();
  writeFileSync(join(dataDir, 'notes.txt'), 'mine');
  const plan = { backup, dataDir, membership: membershipOf(7), identity };
  expect(() => restoreBackup(plan)).toThrow(/is not empty \(notes\.txt\)/);
});

test('a restore that was cut short is not taken for a node', async () => {
  const store = filledStore();
  const backup = await backupOf(store);
  store.close();
  const dataDir = join(temporaryDirectory(), 'data');
  restoreBackup({ backup, dataDir, membership: membershipOf(7), identity });
  rmSync(join(dataDir, 'log.db'));
  expect(() => Store.open(dataDir)).toThrow(/there is only state-2\.db/);
});

test.each([
  [0, 1],
  [4, 1],
  [VERSION_STEP - 1, 1],
  [VERSION_STEP, 2],
  [3 * VERSION_STEP + 12, 4],
])('version %i is followed by step %i', (before, step) => {
  expect(versionAfterRestore(version(before))).toBe(step * VERSION_STEP);
});

test('a stopped data directory is read whole', () => {
  const directory = temporaryDirectory();
  const store = filledStore(directory);
  store.takeSnapshotSync();
  const { digest } = store.state;
  expect(() => verifyDataDirectory(directory)).toThrow(expect.objectContaining({ code: 'locked' }));
  store.close();
  expect(verifyDataDirectory(directory)).toMatchObject({
    identity: null,
    initial: { lastLog: { index: 4 }, applied: { index: 4 } },
    version: 4,
    digest,
    snapshot: { index: 4 },
  });
  const db = new Database(join(directory, 'log.db'));
  db.exec('UPDATE entry SET checksum = 1 WHERE idx = 2');
  db.close();
  expect(() => verifyDataDirectory(directory)).toThrow(/log\.db is damaged: entry 2 cannot be read/);
});

test('a directory without a log is no data directory, and none is made of it', () => {
  const directory = temporaryDirectory();
  expect(() => verifyDataDirectory(directory)).toThrow(/has no log\.db/);
  expect(existsSync(join(directory, 'log.db'))).toBe(false);
});

test.each(['absent', 'empty'])(
  'a data directory whose state is %s is not whole, and is left as it is',
  (kind) => {
    const directory = temporaryDirectory();
    Store.open(directory).close();
    rmSync(join(directory, 'state.db'));
    if (kind === 'empty') writeFileSync(join(directory, 'state.db'), '');
    const files = readdirSync(directory);
    expect(() => verifyDataDirectory(directory)).toThrow(/has no state/);
    expect(readdirSync(directory)).toEqual(files);
  },
);
