import { existsSync, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { LogStore } from '../src/log-store.ts';
import { appendSynced, blank, temporaryDirectory } from './fixtures.ts';

const disk = vi.hoisted(() => ({ fails: false }));

// This file is on a disk that fails at times, as `fdatasync` tells.
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const fdatasyncSync = (handle: number) => {
    if (!disk.fails) return fs.fdatasyncSync(handle);
    throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', syscall: 'fdatasync' });
  };
  return { ...fs, fdatasyncSync };
});

const HANDLES = '/proc/self/fd';

/** What this process has open in a directory, also under names that are gone. */
function openFilesIn(directory: string): string[] {
  const handles = readdirSync(HANDLES).map((handle) => join(HANDLES, handle));
  // The one that the list was read through is closed by now.
  const open = handles.filter((handle) => lstatSync(handle, { throwIfNoEntry: false }) !== undefined);
  return open.map((handle) => readlinkSync(handle)).filter((file) => file.startsWith(directory));
}

test.skipIf(!existsSync(HANDLES))('a log that cannot be synced at its opening leaves no file open', () => {
  const directory = temporaryDirectory();
  const file = join(directory, 'log.db');
  disk.fails = true;
  expect(() => LogStore.open(file)).toThrow(
    expect.objectContaining({
      code: 'io',
      message: expect.stringMatching(/log\.db-wal: EIO.*check this disk/),
    }),
  );
  expect(openFilesIn(directory)).toEqual([]);
  disk.fails = false;
  const log = LogStore.open(file);
  onTestFinished(() => log.close());
  appendSynced(log, { entries: [blank(1)], hardState: null });
  expect(openFilesIn(directory), 'what is open is seen').toContain(`${file}-wal`);
});
