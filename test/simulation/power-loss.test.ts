import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StateMachine } from '@metad/kv-store';
import { logIndex, nodeId, term } from '@metad/raft-core';
import { Random } from '@metad/raft-core/simulation';
import { expect, onTestFinished, test } from 'vitest';
import { loseWalEnd } from './power-loss.ts';
import { readWal, type WalPosition } from './wal-file.ts';

const BATCHES = 8;

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'metad-simulation-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A state behind that many transactions, and where its write-ahead log stood after each of them. */
function writtenState(file: string) {
  const state = StateMachine.open(file);
  onTestFinished(() => state.close());
  const positions: WalPosition[] = [];
  for (let index = 1; index <= BATCHES; index += 1) {
    const entry = { term: term(1), leader: nodeId(1), index: logIndex(index) };
    state.apply([{ ...entry, payload: { type: 'blank' } }]);
    const position = readWal(`${file}-wal`);
    if (position !== null) positions.push(position);
  }
  return { state, positions };
}

/** How many transactions are there after the power went and came back. */
function survivors(file: string, copy: string, synced: readonly WalPosition[], seed: number): number {
  rmSync(`${copy}-shm`, { force: true });
  for (const suffix of ['', '-wal']) copyFileSync(file + suffix, copy + suffix);
  loseWalEnd(`${copy}-wal`, synced, new Random(seed));
  const state = StateMachine.open(copy);
  const { index } = state.applied;
  state.close();
  return index;
}

test('a write-ahead log may lose any of its last transactions, and the database opens with the others', () => {
  const directory = temporaryDirectory();
  const file = join(directory, 'state.db');
  writtenState(file);
  const found = new Set<number>();
  for (let seed = 1; seed <= 200; seed += 1) found.add(survivors(file, join(directory, 'copy.db'), [], seed));
  expect([...found].sort()).toEqual(Array.from({ length: BATCHES + 1 }, (_, i) => i));
});

test('what was synced is there again', () => {
  const directory = temporaryDirectory();
  const file = join(directory, 'state.db');
  const { positions } = writtenState(file);
  const found = new Set<number>();
  for (let seed = 1; seed <= 100; seed += 1) {
    found.add(survivors(file, join(directory, 'copy.db'), positions.slice(4, 5), seed));
  }
  expect([...found].sort()).toEqual([5, 6, 7, 8]);
});

test('a log that was begun anew has nothing of what the mark meant', () => {
  const directory = temporaryDirectory();
  const file = join(directory, 'state.db');
  const { state, positions } = writtenState(file);
  const before = positions.slice(-1);
  state.checkpointBeyond(1);
  const entry = { term: term(1), leader: nodeId(1), index: logIndex(BATCHES + 1) };
  state.apply([{ ...entry, payload: { type: 'blank' } }]);
  const found = new Set<number>();
  for (let seed = 1; seed <= 30; seed += 1)
    found.add(survivors(file, join(directory, 'copy.db'), before, seed));
  expect([...found].sort()).toEqual([BATCHES, BATCHES + 1]);
});
