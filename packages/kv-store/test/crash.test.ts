import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { logIndex, term } from '@metad/raft-core';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { LogStore } from '../src/log-store.ts';
import { Store } from '../src/store.ts';
import { childScript } from './child.ts';
import { appendSynced, commandEntry, temporaryDirectory } from './fixtures.ts';

function put(index: number) {
  return commandEntry(index, { type: 'merge', tree: 'data', leaves: [[`/n/${index % 50}`, `${index}`]] });
}

function copyFiles(from: string, to: string): void {
  for (const name of ['log.db', 'log.db-wal', 'state.db', 'state.db-wal']) {
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
  }
}

/** What a crash may do to the end of a file that was being written. */
const anyDamage = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  how: fc.constantFrom('cut', 'flip'),
});

function damage(file: string, offset: number, how: string): void {
  const bytes = readFileSync(file);
  const byte = bytes[offset];
  if (how === 'cut') writeFileSync(file, bytes.subarray(0, offset));
  else if (byte !== undefined) {
    bytes[offset] = byte ^ 0x10;
    writeFileSync(file, bytes);
  }
}

test('whatever a crash leaves of the log ends with a whole batch, and holds each one that was synced before', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(sizes, anyDamage, (batches, { at, how }) => {
      const directory = temporaryDirectory();
      const log = LogStore.open(join(directory, 'log.db'));
      const wal = join(directory, 'log.db-wal');
      const synced = [{ bytes: 0, last: 0 }];
      for (const size of batches) {
        const next = log.lastLog.index + 1;
        const entries = Array.from({ length: size }, (_, offset) => put(next + offset));
        const committed = logIndex(next - 1);
        appendSynced(log, { entries, hardState: { term: term(1), votedFor: null, committed } });
        synced.push({ bytes: statSync(wal).size, last: log.lastLog.index });
      }
      const crashed = temporaryDirectory();
      copyFiles(directory, crashed);
      log.close();
      const offset = Math.floor(at * (synced.at(-1)?.bytes ?? 0));
      damage(join(crashed, 'log.db-wal'), offset, how);

      const expected = synced.findLast(({ bytes }) => bytes <= offset) ?? { last: -1 };
      const reopened = LogStore.open(join(crashed, 'log.db'));
      const last = reopened.lastLog.index;
      expect(last).toBe(expected.last);
      if (last > 0) {
        const kept = reopened.entries({ from: logIndex(1), to: logIndex(last + 1), maxBytes: 1e9 });
        expect(kept).toEqual(Array.from({ length: last }, (_, before) => put(before + 1)));
      }
      appendSynced(reopened, { entries: [put(last + 1)], hardState: null });
      reopened.close();
    }),
    { numRuns: 60 },
  );
});

test('what a crash takes from the state, the log gives back: same rows, same digest', () => {
  fc.assert(
    fc.property(anyDamage, ({ at, how }) => {
      const directory = temporaryDirectory();
      const store = Store.open(directory);
      for (let index = 1; index <= 30; index++) {
        appendSynced(store.log, { entries: [put(index)], hardState: null });
        store.state.apply([put(index)]);
      }
      const crashed = temporaryDirectory();
      copyFiles(directory, crashed);
      const { digest, version } = store.state;
      store.close();
      const wal = join(crashed, 'state.db-wal');
      damage(wal, Math.floor(at * statSync(wal).size), how);

      const reopened = Store.open(crashed);
      const from = logIndex(reopened.state.applied.index + 1);
      expect(from, 'only whole entries are lost').toBeGreaterThan(0);
      if (from <= 30) reopened.state.apply(reopened.log.entries({ from, to: logIndex(31), maxBytes: 1e9 }));
      expect([reopened.state.digest, reopened.state.version]).toEqual([digest, version]);
      reopened.close();
    }),
    { numRuns: 30 },
  );
});

test.each([5, 60, 300])(
  'kill -9 after %i acknowledged batches loses none of them',
  async (acknowledgements) => {
    const directory = temporaryDirectory();
    const child = spawn(process.execPath, ['--input-type=module', '-e', childScript, directory, 'endless']);
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    let acknowledged = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line);
      if (acknowledged >= acknowledgements) break;
    }
    expect(() => Store.open(directory), 'the lock lives with the process').toThrow(
      /another process is using/,
    );
    child.kill('SIGKILL');
    await ended;
    const store = Store.open(directory);
    onTestFinished(() => store.close());
    const { lastLog, applied } = store.initialState();
    expect(lastLog.index).toBeGreaterThanOrEqual(acknowledged);
    expect(applied.index).toBeGreaterThanOrEqual(acknowledged);
    const entries = store.log.entries({ from: logIndex(1), to: logIndex(lastLog.index + 1), maxBytes: 1e9 });
    expect(entries.map(({ index }) => index)).toEqual(entries.map((_, at) => at + 1));
  },
);
