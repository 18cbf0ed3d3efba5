import { existsSync, renameSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type SnapshotManifest, verifyBackup } from '@metad/kv-store';
import { reasonOf } from '../reason.ts';
import { CommandError } from './command-error.ts';
import { backupLines, formatBytes } from './describe.ts';
import type { Answer, Endpoint } from './endpoint.ts';

/** How long a node may take to copy a large state before it sends the first byte. */
const COPY_PATIENCE_MS = 30 * 60_000;

export interface BackUpOptions {
  readonly file: string;
  /** Whether a file that is there may be replaced. */
  readonly replaces: boolean;
  /** What that node has, without asking the others. */
  readonly local: boolean;
  readonly print: (text: string) => void;
}

/** Downloads a backup and checks every byte of it. FILE is there whole and on disk, or as it was before. */
export async function backUp(
  endpoint: Endpoint,
  { file, replaces, local, print }: BackUpOptions,
): Promise<void> {
  if (!replaces && existsSync(file)) {
    throw new CommandError(`${file} is there already: choose another name, or replace it with --force`);
  }
  const started = performance.now();
  const path = `/backup?consistency=${local ? 'local' : 'linearizable'}`;
  const answer = await endpoint.ask('GET', path, COPY_PATIENCE_MS);
  if (answer.status !== 200) throw await endpoint.refused(answer);
  const manifest = await store(answer, endpoint, file);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print(`wrote ${file}: ${formatBytes(manifest.bytes)} in ${seconds} s, checked`);
  print(backupLines(file, manifest));
}

async function store(answer: Answer, endpoint: Endpoint, file: string): Promise<SnapshotManifest> {
  const part = `${file}.part`;
  try {
    await download(answer, endpoint, part);
    const manifest = verifyBackup(part);
    await inFile(file, async () => {
      renameSync(part, file);
      await sync(dirname(file));
    });
    return manifest;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** For this user only: it holds everything that the tree holds. */
async function download({ body }: Answer, endpoint: Endpoint, part: string): Promise<void> {
  const handle = await inFile(part, () => open(part, 'w', 0o600));
  try {
    const chunks = body[Symbol.asyncIterator]();
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        throw endpoint.brokenOff(error);
      });
      if (next.done) break;
      await inFile(part, () => handle.writeFile(next.value));
    }
    await inFile(part, () => handle.sync());
  } finally {
    body.destroy();
    await handle.close();
  }
}

async function sync(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Runs what the file system may refuse. */
async function inFile<T>(file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new CommandError(`cannot write ${file}: ${reasonOf(error)}`);
  }
}
