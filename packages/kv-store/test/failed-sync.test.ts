import {
  copyFileSync,
  existsSync,
  lstatSync,
  type NoParamCallback,
  readdirSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { term } from '@metad/raft-core';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { LogStore } from '../src/log-store.ts';
import { appendSynced, blank, temporaryDirectory } from './fixtures.ts';

const disk = vi.hoisted(() => ({ fails: false, steps: [] as Step[] }));

type Step =
  | { readonly type: 'sync' }
  | { readonly type: 'write'; readonly from: number; readonly to: number };

// The disk is one that fails at times, as its syncs tell.
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const error = () =>
    Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', syscall: 'fdatasync' });
  const fdatasyncSync = (handle: number) => {
    if (disk.fails) throw error();
    disk.steps.push({ type: 'sync' });
    fs.fdatasyncSync(handle);
  };
  const writeSync = (handle: number, bytes: Uint8Array, start: number, length: number, at: number) => {
    const written = fs.writeSync(handle, bytes, start, length, at);
    disk.steps.push({ type: 'write', from: at, to: at + written });
    return written;
  };
  const fdatasync = (handle: number, ended: NoParamCallback) => {
    if (disk.fails) setImmediate(() => ended(error()));
    else fs.fdatasync(handle, ended);
  };
  return { ...fs, fdatasync, fdatasyncSync, writeSync };
});

beforeEach(() => {
  disk.fails = false;
  disk.steps = [];
});

const HANDLES = '/proc/self/fd';

/** What this process has open in a directory, also under names that are gone. */
function openFilesIn(directory: string): string[] {
  const handles = readdirSync(HANDLES).map((handle) => join(HANDLES, handle));
  // The one that the list was read through is closed by now.
  const open = handles.filter((handle) => lstatSync(handle, { throwIfNoEntry: false }) !== undefined);
  return open.map((handle) => readlinkSync(handle)).filter((file) => file.startsWith(directory));
}

/** That of the write-ahead log, with what to do about it. */
function failure(log: string) {
  const message = expect.stringMatching(`${log}-wal: EIO.*check this disk`);
  return expect.objectContaining({ name: 'StoreError', code: 'io', message });
}

test.skipIf(!existsSync(HANDLES))('a log that cannot be synced at its opening leaves no file open', () => {
  const directory = temporaryDirectory();
  const file = join(directory, 'log.db');
  disk.fails = true;
  expect(() => LogStore.open(file)).toThrow(failure(file));
  expect(openFilesIn(directory)).toEqual([]);
  disk.fails = false;
  const log = LogStore.open(file);
  onTestFinished(() => log.close());
  appendSynced(log, { entries: [blank(1)], hardState: null });
  expect(openFilesIn(directory), 'what is open is seen').toContain(`${file}-wal`);
});

test('a sync beside the thread that fails names the write-ahead log, and is the last', async () => {
  const file = join(temporaryDirectory(), 'log.db');
  const log = LogStore.open(file);
  onTestFinished(() => log.close());
  disk.fails = true;
  await expect(log.sync()).rejects.toThrow(failure(file));
  disk.fails = false;
  await expect(log.sync()).rejects.toThrow(failure(file));
  expect(() => log.syncNow()).toThrow(failure(file));
});

test('what a log holds whose sync failed is written once more before it counts as synced', () => {
  const file = join(temporaryDirectory(), 'log.db');
  const log = LogStore.open(file);
  log.append({ entries: [blank(1)], hardState: { ...log.hardState, term: term(1) }, sync: true });
  disk.fails = true;
  expect(() => log.syncNow()).toThrow(failure(file));
  // As a process leaves it that is killed: closed, SQLite would move the write-ahead log.
  const left = join(temporaryDirectory(), 'log.db');
  for (const suffix of ['', '-wal']) copyFileSync(file + suffix, left + suffix);
  log.close();
  disk.fails = false;
  disk.steps = [];
  const again = LogStore.open(left);
  onTestFinished(() => again.close());
  const { size } = statSync(`${left}-wal`);
  expect(disk.steps).toEqual([{ type: 'write', from: 0, to: size }, { type: 'sync' }]);
  expect(again.lastLog.index).toBe(1);
});
