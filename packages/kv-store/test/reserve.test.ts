import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { logIndex, nodeId, term } from '@metad/raft-core';
import { expect, onTestFinished, test } from 'vitest';
import { MAX_UNSAVED_COMMITS, RESERVED_WAL_BYTES } from '../src/log-schema.ts';
import { LogStore } from '../src/log-store.ts';
import { reserveFile } from '../src/reserve-file.ts';
import { appendSynced, blank, temporaryDirectory } from './fixtures.ts';

/** What a crash leaves, opened. */
function openCopy(directory: string): LogStore {
  const copy = temporaryDirectory();
  for (const name of ['log.db', 'log.db-wal']) copyFileSync(join(directory, name), join(copy, name));
  const log = LogStore.open(join(copy, 'log.db'));
  onTestFinished(() => log.close());
  return log;
}

test('a log whose room was taken before holds what was written before and after that', () => {
  const directory = temporaryDirectory();
  const wal = join(directory, 'log.db-wal');
  const log = LogStore.open(join(directory, 'log.db'));
  onTestFinished(() => log.close());
  const hardState = { term: term(1), votedFor: nodeId(1), committed: logIndex(0) };
  appendSynced(log, { entries: [blank(1)], hardState });
  const written = readFileSync(wal);
  expect(log.reserve()).toBe(true);
  expect(statSync(wal).size).toBe(RESERVED_WAL_BYTES);
  expect(readFileSync(wal).subarray(0, written.length)).toEqual(written);
  expect(openCopy(directory).lastLog.index).toBe(1);
  appendSynced(log, { entries: [blank(2), blank(3)], hardState: null });
  expect(statSync(wal).size).toBe(RESERVED_WAL_BYTES);
  const crashed = openCopy(directory);
  expect(crashed.lastLog.index).toBe(3);
  expect(crashed.hardState).toEqual(hardState);
});

test('where the disk has no room for it, the file stays as it was', () => {
  const file = join(temporaryDirectory(), 'file');
  writeFileSync(file, 'kept');
  const module = pathToFileURL(join(import.meta.dirname, '../dist/reserve-file.js')).href;
  const script = `import(${JSON.stringify(module)}).then(({ reserveFile }) => console.log(reserveFile(process.argv[1], 1e7)))`;
  const limited = `trap '' XFSZ; ulimit -f 1000; exec "$@"`;
  const child = spawnSync('sh', ['-c', limited, 'sh', process.execPath, '-e', script, file]);
  expect(child.stdout.toString().trim()).toBe('false');
  expect(readFileSync(file, 'utf8')).toBe('kept');
  expect(reserveFile(file, 6)).toBe(true);
  expect(readFileSync(file, 'latin1')).toBe('kept\0\0');
});

test('a commit index alone is saved when it has moved far, with a term or a vote, and at the end', () => {
  const directory = temporaryDirectory();
  const file = join(directory, 'log.db');
  const log = LogStore.open(file);
  const savedNow = () => openCopy(directory).hardState.committed;
  const hardState = (committed: number, at = 1) => {
    return { term: term(at), votedFor: nodeId(1), committed: logIndex(committed) };
  };
  const entries = Array.from({ length: MAX_UNSAVED_COMMITS + 5 }, (_, i) => blank(i + 1));
  appendSynced(log, { entries, hardState: hardState(0) });
  const next = (committed: number, at?: number) => {
    appendSynced(log, { entries: [blank(log.lastLog.index + 1)], hardState: hardState(committed, at) });
  };
  next(MAX_UNSAVED_COMMITS - 1);
  expect(savedNow()).toBe(0);
  next(MAX_UNSAVED_COMMITS);
  expect(savedNow()).toBe(MAX_UNSAVED_COMMITS);
  next(MAX_UNSAVED_COMMITS + 1);
  expect(savedNow()).toBe(MAX_UNSAVED_COMMITS);
  next(MAX_UNSAVED_COMMITS + 2, 2);
  expect(savedNow()).toBe(MAX_UNSAVED_COMMITS + 2);
  next(MAX_UNSAVED_COMMITS + 3, 2);
  log.close();
  const reopened = LogStore.open(file);
  onTestFinished(() => reopened.close());
  expect(reopened.hardState).toEqual(hardState(MAX_UNSAVED_COMMITS + 3, 2));
});
