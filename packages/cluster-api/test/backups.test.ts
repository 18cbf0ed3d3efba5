import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store, verifyBackup } from '@metad/kv-store';
import { logIndex, nodeId, term } from '@metad/raft-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BackupOutcome, Backups, type OpenBackup } from '../src/backup/backups.ts';

let dir: string;
let store: Store;
let backups: Backups;
const first = { term: term(1), leader: nodeId(1), index: logIndex(1) };
const never = new AbortController().signal;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'metad-backups-'));
  store = Store.open(dir);
  store.state.apply([{ ...first, payload: { type: 'blank' } }]);
  backups = new Backups(store, dir);
});

afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

function opened(outcome: BackupOutcome): OpenBackup {
  if (outcome.type !== 'open') throw new Error(`no backup: ${JSON.stringify(outcome)}`);
  return outcome.backup;
}

async function bytesOf(body: OpenBackup['body']): Promise<Buffer> {
  return Buffer.from(await new Response(body).arrayBuffer());
}

function copies(): string[] {
  return readdirSync(dir).filter((name) => name.startsWith('backup'));
}

test('what is read is a whole backup, and nothing of it stays', async () => {
  const { manifest, body } = opened(await backups.open(never));
  expect(copies()).toEqual([]);
  const file = join(dir, 'downloaded.db');
  writeFileSync(file, await bytesOf(body));
  expect(verifyBackup(file)).toEqual(manifest);
});

test('a node that has applied nothing has nothing to back up', async () => {
  const empty = Store.open(join(dir, 'empty'));
  expect(await new Backups(empty, join(dir, 'empty')).open(never)).toEqual({ type: 'empty' });
  empty.close();
});

test('one at a time: until it is read to its end, or given up', async () => {
  const [one, other] = await Promise.all([backups.open(never), backups.open(never)]);
  expect(other).toEqual({ type: 'busy' });
  await bytesOf(opened(one).body);
  const next = opened(await backups.open(never));
  expect(await backups.open(never)).toEqual({ type: 'busy' });
  await next.body.cancel();
  await opened(await backups.open(never)).body.cancel();
});

test('one that nobody waits for any more ends, and so do all when the node stops', async () => {
  const asker = new AbortController();
  const asked = backups.open(asker.signal);
  asker.abort();
  expect(await asked).toMatchObject({ type: 'calledOff' });
  expect(copies()).toEqual([]);
  const open = backups.open(never);
  backups.stop();
  expect(await open).toMatchObject({ type: 'calledOff' });
  expect(await backups.open(never)).toMatchObject({ type: 'calledOff' });
});

test('one that fails says why, and the next one works', async () => {
  const stateFile = store.stateFile;
  const directory = join(dir, 'gone');
  const elsewhere = new Backups(
    { state: store.state, writeBackup: () => store.writeBackup(join(directory, 'x'), never) },
    dir,
  );
  expect(await elsewhere.open(never)).toMatchObject({
    type: 'failed',
    message: expect.stringContaining('gone'),
  });
  expect(existsSync(stateFile)).toBe(true);
  expect(await elsewhere.open(never)).toMatchObject({ type: 'failed' });
});

test('one that would take the node’s own room is refused', async () => {
  const full = new Backups(
    { state: { applied: first, bytes: 2 ** 60 }, writeBackup: () => Promise.reject(new Error('not asked')) },
    dir,
  );
  expect(await full.open(never)).toMatchObject({
    type: 'noRoom',
    message: expect.stringContaining('make room'),
  });
});

test('what a killed process has left is removed', () => {
  writeFileSync(join(dir, 'backup.part'), 'half');
  new Backups(store, dir);
  expect(copies()).toEqual([]);
});
