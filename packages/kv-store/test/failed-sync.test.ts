import { existsSync, lstatSync, type NoParamCallback, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { LogStore } from '../src/log-store.ts';
import { appendSynced, blank, temporaryDirectory } from './fixtures.ts';

const disk = vi.hoisted(() => ({ fails: false }));

// The disk is one that fails at times, as its syncs tell.
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const error = () =>
    Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', syscall: 'fdatasync' });
  const fdatasyncSync = (handle: number) => {
    if (disk.fails) throw error();
    fs.fdatasyncSync(handle);
  };
  const fdatasync = (handle: number, ended: NoParamCallback) => {
    if (disk.fails) setImmediate(() => ended(error()));
    else fs.fdatasync(handle, ended);
  };
  return { ...fs, fdatasync, fdatasyncSync };
});

beforeEach(() => {
  disk.fails = false;
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
