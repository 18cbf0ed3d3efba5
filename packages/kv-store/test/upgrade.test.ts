import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { Precondition } from '../src/command.ts';
import { writeOf } from '../src/command.ts';
import { sealSnapshot, verifySnapshot } from '../src/snapshot-manifest.ts';
import { StateMachine } from '../src/state-machine.ts';
import { version } from '../src/version.ts';
import { bareEntry, dump, lookInto, put, rowVersion, temporaryDirectory } from './fixtures.ts';
import { createOldState } from './old-states.ts';

function openOld(format: 1 | 2): { readonly state: StateMachine; readonly file: string } {
  const file = join(temporaryDirectory(), 'state.db');
  createOldState(file, format);
  const state = StateMachine.open(file);
  onTestFinished(() => state.close());
  return { state, file };
}

function columnsOf(file: string) {
  const db = new Database(file, { readonly: true });
  try {
    const columns = `SELECT t.name AS tableName, c.name, c.type, c."notnull", c.dflt_value, c.pk
      FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table' ORDER BY t.name, c.cid`;
    return db.prepare(columns).all();
  } finally {
    db.close();
  }
}

const unchangedSince = (path: string, since: number): Precondition => ({
  type: 'unchangedSince',
  tree: 'data',
  path,
  version: version(since),
});

test.each([1, 2] as const)('a state of format %i has the same rows, and no past', (format) => {
  const { state, file } = openOld(format);
  expect(state).toMatchObject({ version: 2, featureLevel: 1, applied: { index: 2 } });
  expect(dump(file)).toMatchObject({
    data: [
      ['/a', 'hidden'],
      ['/a/b', 'x'],
    ],
    shown: [['/a/b', 'x']],
    history: [],
  });
  lookInto(file, (view) => {
    expect(view.historyStart()).toBe(2);
  });
  expect([rowVersion(file, '/a/b'), rowVersion(file, '/none')]).toEqual([2, undefined]);
});

test('it makes the same tables as a new one', () => {
  const { state, file } = openOld(2);
  const fresh = join(temporaryDirectory(), 'state.db');
  StateMachine.open(fresh).close();
  state.close();
  expect(columnsOf(file)).toEqual(columnsOf(fresh));
});

test('what 0.1 wrote leaves no history, wherever a node was upgraded in between', () => {
  const commands = [put('/a/b', 'y'), put('/c', '1')];
  const write = { ...writeOf([put('/c', '2')]), time: 5 };
  const upgraded = openOld(2);
  upgraded.state.apply(commands.map((command, at) => bareEntry(3 + at, command)));
  upgraded.state.apply([bareEntry(5, write)]);
  lookInto(upgraded.file, (view) => {
    expect([view.version(), view.historyStart()]).toEqual([5, 4]);
    expect(view.history({ before: null, limit: 9 })).toEqual([
      { version: 5, time: 5, author: '', changes: [{ kind: 'data', path: '/c', before: '1' }] },
    ]);
  });
  expect(['/a', '/a/b', '/c'].map((path) => rowVersion(upgraded.file, path))).toEqual([4, 4, 5]);
});

test('a row that 0.1 set counts as set by the last command before the first write', () => {
  const { state } = openOld(2);
  state.apply([bareEntry(3, put('/c', '1'))]);
  const tries = [
    unchangedSince('/a/b', 2),
    unchangedSince('/a', 2),
    unchangedSince('/a/b', 3),
    unchangedSince('/a', 3),
  ];
  const { results } = state.apply(
    tries.map((condition, at) => bareEntry(4 + at, writeOf([], { preconditions: [condition] }))),
  );
  expect(results.map(({ type }) => type)).toEqual([
    'preconditionFailed',
    'preconditionFailed',
    'applied',
    'applied',
  ]);
});

test('a snapshot of the older format can be verified', () => {
  const file = join(temporaryDirectory(), 'old.db');
  createOldState(file, 2);
  sealSnapshot(file, { cluster: 'c' });
  expect(verifySnapshot(file)).toMatchObject({ version: 2, cluster: 'c', meta: { last: { index: 2 } } });
});
