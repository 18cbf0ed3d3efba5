import { statSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { StateDatabase } from '../src/state-database.ts';
import { MAX_STATE_WAL_PAGES } from '../src/state-schema.ts';
import type { Store } from '../src/store.ts';
import { dump, openStore, put, writeCommands } from './fixtures.ts';

/** Each batch changes some pages all over the state. */
function writeBatch(store: Store): void {
  const next = store.log.lastLog.index;
  const value = `${next}`.padEnd(2000, 'x');
  writeCommands(store, ...Array.from({ length: 20 }, (_, at) => put(`/n/${(next + at * 101) % 500}`, value)));
}

test('the write-ahead logs are moved by the writes that make them long', () => {
  const store = openStore();
  let longest = 0;
  for (let batch = 0; batch < 250; batch++) {
    writeBatch(store);
    longest = Math.max(longest, statSync(`${store.stateFile}-wal`).size);
  }
  const frameBytes = 4096 + 24;
  // And what one batch adds.
  expect(longest).toBeLessThan((MAX_STATE_WAL_PAGES + 200) * frameBytes);
  expect(longest).toBeGreaterThan(MAX_STATE_WAL_PAGES * frameBytes);
  expect(statSync(store.stateFile).size).toBeGreaterThan(1024 * 1024);
});

test('a reader that stays delays a checkpoint, and the next one after it makes up for that', () => {
  const store = openStore();
  writeBatch(store);
  const database = StateDatabase.open(store.stateFile);
  const cursor = database.openCursor();
  for (let batch = 0; batch < 150; batch++) writeBatch(store);
  const before = statSync(store.stateFile).size;
  cursor.close();
  for (let batch = 0; batch < 150; batch++) writeBatch(store);
  expect(statSync(store.stateFile).size).toBeGreaterThan(before);
  database.close();
});

test('a thread moves the state while writes go on', async () => {
  const store = openStore();
  store.startCheckpoints();
  await vi.waitFor(
    () => {
      writeBatch(store);
      expect(statSync(store.stateFile).size).toBeGreaterThan(1024 * 1024);
    },
    { timeout: 30_000, interval: 1 },
  );
  const before = dump(store.stateFile);
  store.state.checkpointBeyond(1);
  expect(dump(store.stateFile)).toEqual(before);
});
