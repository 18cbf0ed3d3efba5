import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSnapshot, encodeCommand, Store, writeOf } from '@metad/kv-store';
import { logIndex, nodeId, term } from '@metad/raft-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { verify } from '../src/metadctl/verify.ts';

// Backups of nodes that have applied the same are compared: what was changed in the rows of one, past the log, shows.

interface Sqlite {
  exec(sql: string): unknown;
  close(): void;
}
const require = createRequire(new URL('../../kv-store/package.json', import.meta.url));
const Database = require('better-sqlite3') as new (file: string) => Sqlite;

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'metad-verify-'));
});

afterEach(() => rmSync(dir, { recursive: true }));

/** A backup of a node that has applied so many writes, after its rows were changed by other means. */
function backup(name: string, writes: number, sql = ''): string {
  const store = Store.open(join(dir, `${name}-data`));
  for (let index = 1; index <= writes; index += 1) {
    const leaves = [[`/a/${index}`, `value ${index}`]] as const;
    const data = encodeCommand(writeOf([{ type: 'merge', tree: 'data', leaves }]));
    const payload = { type: 'command', data } as const;
    store.state.apply([{ term: term(1), leader: nodeId(1), index: logIndex(index), payload }]);
  }
  const { stateFile } = store;
  store.close();
  const state = join(dir, `${name}-state.db`);
  copyFileSync(stateFile, state);
  const db = new Database(state);
  db.exec(sql);
  db.close();
  const file = join(dir, name);
  buildSnapshot({ stateFile: state, to: file, cluster: 'one' });
  return file;
}

function lines(...files: readonly string[]): string {
  const printed: string[] = [];
  verify(files, (text) => printed.push(text));
  return printed.join('\n');
}

test('those of nodes that hold the same are alike', () => {
  const output = lines(backup('one', 3), backup('two', 3), backup('three', 3));
  expect(output).toContain('all 3 backups hold the same');
  expect(new Set(output.match(/content +\w{64}/g)).size).toBe(1);
});

test('a value that somebody has changed in one of them is found', () => {
  const edit = "UPDATE data SET value = 'edited' WHERE path = '/a/2'";
  expect(() => lines(backup('one', 3), backup('two', 3, edit))).toThrow(
    /one and \S+two differ in their content, though both are at index 3 of term 1/,
  );
});

test('those of different moments are not compared', () => {
  expect(() => lines(backup('one', 3), backup('two', 4))).toThrow(/index 3 .*index 4 .*while nobody writes/);
});
