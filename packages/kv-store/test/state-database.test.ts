import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AssertionError } from '@metad/raft-core';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { Command, Leaf } from '../src/command.ts';
import { StateDatabase } from '../src/state-database.ts';
import { StateMachine } from '../src/state-machine.ts';
import type { StateView } from '../src/state-view.ts';
import { StoreError } from '../src/store-error.ts';
import { version } from '../src/version.ts';
import { applyCommands, openBoth, temporaryDirectory } from './fixtures.ts';

const put = (...leaves: Leaf[]): Command => ({ type: 'merge', tree: 'data', leaves });

test('a read sees one version while the writer goes on, and the next read sees the newest', () => {
  const { state, reader } = openBoth();
  applyCommands(state, put(['/a', '1'], ['/b', '1']));
  reader.read((view) => {
    expect(view.version()).toBe(1);
    applyCommands(state, put(['/a', '2'], ['/b', '2']), put(['/c', '3']));
    expect([view.version(), view.applied().index]).toEqual([1, 1]);
    expect(view.leaves('data', '/')).toEqual([
      ['/a', '1'],
      ['/b', '1'],
    ]);
  });
  reader.read((view) => {
    expect([view.version(), view.applied().index, view.digest()]).toEqual([3, 3, state.digest]);
    expect(view.leaves('data', '/')).toHaveLength(3);
  });
});

test('a cursor pages through one version, hidden values included, while reads beside it move on', () => {
  const { state, reader } = openBoth();
  applyCommands(state, put(['/a', 'hidden'], ['/a/b', '1'], ['/a-', '2'], ['/z', '3']));
  const cursor = reader.openCursor();
  applyCommands(state, { type: 'delete', tree: 'data', paths: ['/'] });
  const pages: Leaf[][] = [];
  let after: string | null = null;
  do {
    const page: Leaf[] = cursor.view.values('data', { after, limit: 3 });
    pages.push(page);
    after = page.length < 3 ? null : (page.at(-1)?.[0] ?? null);
  } while (after !== null);
  expect(pages.map((page) => page.map(([path]) => path))).toEqual([['/a', '/a-', '/a/b'], ['/z']]);
  expect([cursor.view.count('data'), cursor.view.count('mapping')]).toEqual([4, 0]);
  expect(cursor.view.version()).toBe(1);
  expect(reader.read((view) => [view.version(), view.leaves('data', '/')])).toEqual([2, []]);
  cursor.close();
  cursor.close();
  expect(() => cursor.view.version()).toThrow(AssertionError);
});

test('what the disk does to a cursor names the file, and what others do is theirs', () => {
  const { reader } = openBoth();
  const cursor = reader.openCursor();
  const failWith = (error: Error) => () =>
    cursor.read(() => {
      throw error;
    });
  expect(failWith(new Database.SqliteError('disk I/O error', 'SQLITE_IOERR'))).toThrow(StoreError);
  expect(failWith(new RangeError('mine'))).toThrow(RangeError);
  expect(cursor.read((view) => view.version())).toBe(0);
  cursor.close();
});

test('a view is of no use outside its read, and a read cannot wait', () => {
  const { reader } = openBoth();
  const kept: StateView = reader.read((view) => view);
  expect(() => kept.version()).toThrow(AssertionError);
  expect(() => reader.read(async () => 1)).toThrow(AssertionError);
  expect(() => reader.read(() => reader.read(() => 1))).toThrow(AssertionError);
  expect(
    reader.read((view) => view.version()),
    'the reader goes on',
  ).toBe(0);
});

test('a read that throws ends its transaction', () => {
  const { state, reader } = openBoth();
  const failing = () =>
    reader.read((view) => {
      expect(view.leaves('data', '/')).toHaveLength(2);
      throw new Error('looked');
    });
  applyCommands(state, put(['/a', '1'], ['/b', '1']));
  expect(failing).toThrow('looked');
  applyCommands(state, put(['/a', '2']));
  expect(reader.read((view) => view.value('data', '/a'))).toBe('2');
});

test('the reads of one turn see one state, until a newer one is asked for or the turn ends', async () => {
  const { state, reader } = openBoth();
  const seen = (atLeast: number) => reader.readInTurn(version(atLeast), (view) => view.version());
  applyCommands(state, put(['/a', '1']));
  expect(seen(0)).toBe(1);
  applyCommands(state, put(['/a', '2']));
  expect(seen(1), 'new enough').toBe(1);
  expect(seen(2)).toBe(2);
  expect(reader.readInTurn(version(2), (view) => view.value('data', '/a'))).toBe('2');
  applyCommands(state, put(['/a', '3']));
  expect(
    reader.read((view) => view.version()),
    'a read of its own',
  ).toBe(3);
  expect(seen(2)).toBe(3);
  applyCommands(state, put(['/a', '4']));
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen(3)).toBe(4);
});

test('what goes wrong in a turn with its reads leaves no transaction behind', async () => {
  const { state, reader } = openBoth();
  const failing = () =>
    reader.readInTurn(version(0), () => {
      throw new RangeError('mine');
    });
  expect(failing).toThrow(RangeError);
  applyCommands(state, put(['/a', '1']));
  expect(
    reader.readInTurn(version(0), (view) => view.version()),
    'another transaction',
  ).toBe(1);
  expect(() => reader.readInTurn(version(0), () => reader.read(() => 1))).toThrow(AssertionError);
  expect(() => reader.readInTurn(version(0), async () => 1)).toThrow(AssertionError);
  reader.readInTurn(version(0), (view) => view.version());
  reader.close();
  // The end of the turn finds it closed.
  await new Promise((resolve) => setImmediate(resolve));
});

test('a file that takes the place of another one is read in the same turn', () => {
  const { reader } = openBoth();
  const file = join(temporaryDirectory(), 'other.db');
  const other = StateMachine.open(file);
  onTestFinished(() => other.close());
  applyCommands(other, put(['/a', 'other']));
  expect(reader.readInTurn(version(0), (view) => view.version())).toBe(0);
  reader.reopen(file);
  expect(reader.readInTurn(version(0), (view) => view.value('data', '/a'))).toBe('other');
});

test('readers open and read while a write is under way', () => {
  const file = join(temporaryDirectory(), 'state.db');
  const state = StateMachine.open(file);
  const writer = new Database(file);
  onTestFinished(() => {
    writer.close();
    state.close();
  });
  applyCommands(state, put(['/a', '1']));
  writer.exec("BEGIN IMMEDIATE; UPDATE data SET value = 'unfinished'");
  for (const reader of [StateDatabase.open(file), StateDatabase.open(file)]) {
    expect(reader.read((view) => view.value('data', '/a'))).toBe('1');
    reader.close();
  }
});

test('another thread reads whole versions while this one writes', async () => {
  const file = join(temporaryDirectory(), 'state.db');
  const state = StateMachine.open(file);
  onTestFinished(() => state.close());
  applyCommands(state, put(['/a', '0'], ['/b', '0']));
  // The built package: plain Node cannot read the sources.
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.package).then(({ StateDatabase }) => {
      const database = StateDatabase.open(workerData.file);
      const look = () => {
        const seen = database.read((view) => [view.leaves('data', '/').map(([, value]) => value), view.version()]);
        parentPort.postMessage(seen);
        if (seen[1] < 200) setImmediate(look);
        else database.close();
      };
      look();
    });
  `;
  const workerData = { file, package: new URL('../dist/index.js', import.meta.url).href };
  const worker = new Worker(script, { eval: true, execArgv: [], workerData });
  onTestFinished(() => void worker.terminate());
  const torn: unknown[] = [];
  let last = 0;
  worker.on('message', ([values, version]: [string[], number]) => {
    if (values.length !== 2 || values[0] !== values[1] || version < last) torn.push([values, version]);
    last = version;
  });
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  while (state.version < 200) {
    applyCommands(state, put(['/a', `${state.version}`], ['/b', `${state.version}`]));
    await new Promise(setImmediate);
  }
  expect(await exited).toBe(0);
  expect(last).toBe(200);
  expect(torn).toEqual([]);
});

test('a state that is not there is refused by name', () => {
  const file = join(temporaryDirectory(), 'missing.db');
  expect(() => StateDatabase.open(file)).toThrow(expect.objectContaining({ code: 'io' }));
  expect(() => StateDatabase.open(file)).toThrow(/missing\.db does not exist/);
});

test('a file that is no state is refused by name', () => {
  const file = join(temporaryDirectory(), 'other.db');
  writeFileSync(file, 'not a database, but long enough to be looked at'.repeat(100));
  expect(() => StateDatabase.open(file)).toThrow(expect.objectContaining({ code: 'damaged' }));
  expect(() => StateDatabase.open(file)).toThrow(/other\.db/);
});
