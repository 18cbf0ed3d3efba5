import { AssertionError, logIndex, ZERO_LOG_ID } from '@metad/raft-core';
import { expect, test } from 'vitest';
import { Store } from '../src/store.ts';
import { blank, dump, openStore, put, temporaryDirectory, writeCommands, writeSynced } from './fixtures.ts';

/** Writes and applies entries up to and with `last`, one batch each ten. */
function fill(store: Store, last: number, value = 'x'): void {
  while (store.log.lastLog.index < last) {
    const next = store.log.lastLog.index + 1;
    const commands = Array.from({ length: Math.min(10, last - next + 1) }, (_, at) =>
      put(`/n/${(next + at) % 20}`, `${value}${next + at}`),
    );
    writeCommands(store, ...commands);
  }
}

function purgeAll(store: Store): void {
  while (store.log.purge());
}

test('a compacted log begins behind the entry named, and goes on', () => {
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  fill(store, 50);
  expect(store.compact(logIndex(30))).toEqual({ term: 1, leader: 1, index: 30 });
  expect(store.log.logId(logIndex(30))).toBeUndefined();
  expect(store.log.logId(logIndex(31))).toEqual({ term: 1, leader: 1, index: 31 });
  expect(() => store.log.entries({ from: logIndex(30), to: logIndex(32), maxBytes: 1e9 })).toThrow(
    AssertionError,
  );
  fill(store, 60);
  expect(store.log.size().entries).toBe(30);
  const before = dump(store.stateFile);
  store.close();
  const reopened = openStore(directory);
  expect(reopened.initialState()).toMatchObject({ compacted: { index: 30 }, lastLog: { index: 60 } });
  const kept = reopened.log.entries({ from: logIndex(31), to: logIndex(61), maxBytes: 1e9 });
  expect(kept.map(({ index }) => index)).toEqual(Array.from({ length: 30 }, (_, at) => at + 31));
  expect(dump(reopened.stateFile)).toEqual(before);
});

test('compacting never takes what the state has not durably, nor goes back', () => {
  const store = openStore();
  fill(store, 20);
  writeSynced(store, { snapshot: null, entries: [blank(21)], hardState: null });
  expect(store.state.durable).toEqual(ZERO_LOG_ID);
  expect(store.compact(logIndex(21)).index, 'entry 21 is not applied').toBe(20);
  expect(store.state.durable.index).toBe(20);
  expect(store.compact(logIndex(5)).index).toBe(20);
});

test('making the state durable needs no turn of the thread', async () => {
  const store = openStore();
  fill(store, 20);
  const durable = store.state.makeDurableAsync();
  fill(store, 30);
  await durable;
  expect(store.state.durable.index).toBe(20);
});

test('compacted entries go in slices, and what is behind them stays', () => {
  const store = openStore();
  fill(store, 100);
  store.compact(logIndex(90));
  expect(store.log.purge({ maxEntries: 40, maxBytes: 1e9 })).toBe(true);
  expect(store.log.purge({ maxEntries: 40, maxBytes: 1e9 })).toBe(true);
  expect(store.log.purge({ maxEntries: 40, maxBytes: 1e9 })).toBe(false);
  expect(store.log.purge(), 'there is nothing left to do').toBe(false);
  expect(store.log.entries({ from: logIndex(91), to: logIndex(101), maxBytes: 1e9 })).toHaveLength(10);
});

test('one large entry is a slice of its own', () => {
  const store = openStore();
  fill(store, 3, 'x'.repeat(10_000));
  store.compact(logIndex(3));
  expect(store.log.purge({ maxEntries: 40, maxBytes: 100 })).toBe(true);
  expect(store.log.purge({ maxEntries: 40, maxBytes: 100 })).toBe(true);
  expect(store.log.purge({ maxEntries: 40, maxBytes: 100 })).toBe(false);
});

test('a purge that was cut short goes on after a restart', () => {
  const directory = temporaryDirectory();
  const store = Store.open(directory);
  fill(store, 50);
  store.compact(logIndex(40));
  store.log.purge({ maxEntries: 7, maxBytes: 1e9 });
  store.close();
  const reopened = openStore(directory);
  expect(reopened.log.purge({ maxEntries: 7, maxBytes: 1e9 })).toBe(true);
  purgeAll(reopened);
  fill(reopened, 60);
  expect(reopened.log.size().entries).toBe(20);
});

test('the file does not grow while entries are compacted as fast as they come', () => {
  const store = openStore();
  const sizes: number[] = [];
  for (let round = 1; round <= 12; round++) {
    fill(store, round * 200, 'x'.repeat(500));
    store.compact(logIndex(Math.max(store.state.applied.index - 100, 0)));
    purgeAll(store);
    sizes.push(store.log.size().fileBytes);
  }
  expect(sizes.at(-1)).toBe(sizes[2]);
});
