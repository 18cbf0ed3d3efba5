import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AssertionError, INITIAL_HARD_STATE, logIndex, nodeId, term, ZERO_LOG_ID } from '@metad/raft-core';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { NodeIdentity } from '../src/node-identity.ts';
import { Store } from '../src/store.ts';
import {
  appendSynced,
  blank,
  commandEntry,
  dump,
  entry,
  membershipOf,
  temporaryDirectory,
} from './fixtures.ts';

const identity: NodeIdentity = { node: nodeId(1), instance: 'instance', cluster: 'cluster' };
const advice = /remove this node from the cluster, empty its data directory and add it again/;

function openStore(directory: string): Store {
  const store = Store.open(directory);
  onTestFinished(() => store.close());
  return store;
}

/** A closed data directory with some applied entries. */
function filledDirectory(): string {
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  store.bootstrap(membershipOf(1), identity);
  const large = 'x'.repeat(3000);
  const entries = Array.from({ length: 40 }, (_, at) =>
    commandEntry(at + 2, { type: 'merge', tree: 'data', leaves: [[`/nodes/${at}`, large]] }),
  );
  appendSynced(store.log, { entries, hardState: { ...store.log.hardState, committed: logIndex(41) } });
  store.state.apply(store.log.entries({ from: logIndex(1), to: logIndex(42), maxBytes: 1e9 }));
  store.close();
  return directory;
}

function editFile(file: string, sql: string): void {
  const db = new Database(file);
  db.exec(sql);
  db.close();
}

function failure(code: string, message: RegExp) {
  return expect.objectContaining({ name: 'StoreError', code, message: expect.stringMatching(message) });
}

test('a fresh directory is made, for this user only, and starts from nothing', () => {
  const directory = join(temporaryDirectory(), 'deep', 'down');
  const store = openStore(directory);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(store.initialState()).toEqual({
    hardState: INITIAL_HARD_STATE,
    compacted: ZERO_LOG_ID,
    lastLog: ZERO_LOG_ID,
    applied: ZERO_LOG_ID,
    memberships: [],
  });
});

test('nodes that start with the same membership begin with the same committed entry', () => {
  const membership = membershipOf(3, 1, 2);
  const stores = [openStore(temporaryDirectory()), openStore(temporaryDirectory())];
  for (const store of stores) store.bootstrap(membership, identity);
  for (const store of stores) {
    expect(store.log.identity()).toEqual(identity);
    const first = { term: 1, leader: 1, index: 1 };
    expect(store.initialState()).toEqual({
      hardState: { term: 1, votedFor: 1, committed: 1 },
      compacted: ZERO_LOG_ID,
      lastLog: first,
      applied: ZERO_LOG_ID,
      memberships: [{ logId: first, membership }],
    });
    const entries = store.log.entries({ from: logIndex(1), to: logIndex(2), maxBytes: 1 });
    expect(entries).toEqual([{ ...first, payload: { type: 'membership', membership } }]);
  }
  expect(() => stores[0]?.bootstrap(membership, identity)).toThrow(AssertionError);
});

test('a restart begins with the applied membership, then those behind it in the log', () => {
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  const memberships = [membershipOf(1), membershipOf(1, 2), membershipOf(1, 2, 3)];
  const entries = memberships.map((membership, at) => entry(at + 1, { type: 'membership', membership }));
  const hardState = { term: term(1), votedFor: null, committed: logIndex(1) };
  appendSynced(store.log, { entries, hardState });
  store.state.apply(entries.slice(0, 2));
  store.close();
  const initial = openStore(directory).initialState();
  expect(initial.memberships.map(({ membership }) => membership)).toEqual(memberships.slice(1));
  expect(initial.memberships.map(({ logId }) => logId.index)).toEqual([2, 3]);
  expect(initial.hardState.committed, 'what is applied is committed').toBe(2);
});

test('a second open of the same directory is refused, and the first one goes on', () => {
  const directory = temporaryDirectory();
  const first = Store.open(directory);
  expect(() => Store.open(directory)).toThrow(failure('locked', /log\.db.*another process is using/));
  appendSynced(first.log, { entries: [blank(1)], hardState: null });
  expect(() => Store.open(directory)).toThrow(failure('locked', /log\.db/));
  first.close();
  expect(openStore(directory).log.lastLog.index).toBe(1);
});

test.each([
  ['log.db', 'quarter'],
  ['log.db', 'last page'],
  ['state.db', 'quarter'],
  ['state.db', 'last page'],
])('%s cut off (%s) is named', (name, cut) => {
  const directory = filledDirectory();
  const file = join(directory, name);
  const { size } = statSync(file);
  truncateSync(file, cut === 'quarter' ? Math.floor(size / 4) : size - 4096);
  expect(() => Store.open(directory)).toThrow(failure('damaged', new RegExp(`${name}.*${advice.source}`)));
});

/** Where the pages of a file begin that hold rows. */
function leafPages(bytes: Buffer): number[] {
  const tableLeaf = 13;
  const indexLeaf = 10;
  const starts = Array.from({ length: bytes.length / 4096 - 1 }, (_, page) => (page + 1) * 4096);
  return starts.filter((start) => bytes[start] === tableLeaf || bytes[start] === indexLeaf);
}

test.each(['log.db', 'state.db'])('%s with any page of rows overwritten is named', (name) => {
  const directory = filledDirectory();
  const file = join(directory, name);
  const intact = readFileSync(file);
  const pages = leafPages(intact);
  expect(pages.length).toBeGreaterThan(4);
  for (const start of pages) {
    writeFileSync(file, Buffer.from(intact).fill(77, start, start + 4096));
    expect(() => Store.open(directory), `page at ${start}`).toThrow(failure('damaged', new RegExp(name)));
  }
  writeFileSync(file, intact);
  Store.open(directory).close();
});

test.each(['log.db', 'state.db'])('%s of another program is named', (name) => {
  const directory = filledDirectory();
  const file = join(directory, name);
  editFile(file, 'PRAGMA application_id = 5');
  expect(() => Store.open(directory)).toThrow(
    failure('damaged', new RegExp(`${name} is not a metad node's`)),
  );
  writeFileSync(file, 'This is my shopping list. '.repeat(400));
  expect(() => Store.open(directory)).toThrow(failure('damaged', new RegExp(name)));
});

test.each([
  ['log.db', 'UPDATE hard_state SET term = -1'],
  ['log.db', 'UPDATE hard_state SET committed = 42'],
  ['log.db', 'DELETE FROM hard_state'],
  ['log.db', 'DELETE FROM entry WHERE idx = 1'],
  ['log.db', 'UPDATE entry SET term = 9 WHERE idx = 41'],
  ['state.db', 'DELETE FROM state'],
  ['state.db', 'UPDATE state SET applied_leader = -1'],
  ['state.db', "UPDATE state SET membership = '{'"],
  ['state.db', `UPDATE state SET membership = '{"configs":[[7]],"nodes":{}}'`],
])('%s with rows that no release wrote is named: %s', (name, sql) => {
  const directory = filledDirectory();
  editFile(join(directory, name), sql);
  expect(() => Store.open(directory)).toThrow(failure('damaged', new RegExp(`${name}.*${advice.source}`)));
});

test('a log that was lost is not taken for a new one', () => {
  const directory = filledDirectory();
  rmSync(join(directory, 'log.db'));
  const message = /state\.db has applied entry 41, but log\.db ends at entry 0/;
  expect(() => Store.open(directory)).toThrow(failure('damaged', message));
  expect(() => Store.open(directory)).toThrow(advice);
});

test('a state that was lost is made again from a whole log, and refused behind a compacted one', () => {
  const directory = filledDirectory();
  const before = dump(join(directory, 'state.db'));
  rmSync(join(directory, 'state.db'));
  const store = Store.open(directory);
  expect(store.state.applied.index).toBe(0);
  store.state.apply(store.log.entries({ from: logIndex(1), to: logIndex(42), maxBytes: 1e9 }));
  store.close();
  expect(dump(join(directory, 'state.db'))).toEqual(before);
  rmSync(join(directory, 'state.db'));
  const compact = 'UPDATE hard_state SET compacted_term = 1, compacted_leader = 1, compacted_index = 20';
  editFile(join(directory, 'log.db'), `DELETE FROM entry WHERE idx <= 20; ${compact}`);
  const message = /log\.db begins behind entry 20, but state\.db ends at entry 0/;
  expect(() => Store.open(directory)).toThrow(failure('damaged', message));
});

test('files of different nodes are not taken together', () => {
  const directory = filledDirectory();
  editFile(join(directory, 'state.db'), 'UPDATE state SET applied_term = 3');
  const message = /entry 41 has term 1 in log\.db and term 3 in state\.db/;
  expect(() => Store.open(directory)).toThrow(failure('damaged', message));
});

test.each(['log.db', 'state.db'])('%s of a newer release is refused and left alone', (name) => {
  const directory = filledDirectory();
  const file = join(directory, name);
  editFile(file, 'PRAGMA user_version = 9');
  const before = readFileSync(file);
  expect(() => Store.open(directory)).toThrow(
    failure('newerFormat', new RegExp(`${name} has format 9.*newer release`)),
  );
  expect(readFileSync(file).equals(before)).toBe(true);
});

test('a log of the first format is taken over', () => {
  const directory = filledDirectory();
  editFile(join(directory, 'log.db'), 'DROP TABLE state_file; PRAGMA user_version = 1');
  const store = openStore(directory);
  expect(store.stateFile).toBe(join(directory, 'state.db'));
  expect(store.log.lastLog.index).toBe(41);
});

test('a data directory that cannot be made is named', () => {
  const file = join(temporaryDirectory(), 'file');
  writeFileSync(file, '');
  expect(() => Store.open(join(file, 'data'))).toThrow(
    failure('io', /cannot create the data directory .*file\/data: .*file is no directory/),
  );
});
