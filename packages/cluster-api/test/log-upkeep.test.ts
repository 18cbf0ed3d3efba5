import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeCommand, Store } from '@metad/kv-store';
import {
  type Entry,
  type LogIndex,
  logIndex,
  nodeId,
  type PeerStatus,
  type RaftStatus,
  term,
} from '@metad/raft-core';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogUpkeep } from '../src/snapshots/log-upkeep.ts';

let dir: string;
let store: Store;
let peers: RaftStatus['peers'];
let neededForSnapshots: LogIndex | null;
const faults: unknown[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'metad-upkeep-'));
  store = Store.open(dir);
  peers = new Map();
  neededForSnapshots = null;
  faults.length = 0;
});

afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

function append(count: number): void {
  const { index } = store.log.lastLog;
  const data = encodeCommand({ type: 'merge', tree: 'data', leaves: [['/a', `${index}`]] });
  const entries = Array.from({ length: count }, (_, i): Entry => {
    const logId = { term: term(1), leader: nodeId(1), index: logIndex(index + 1 + i) };
    return { ...logId, payload: { type: 'command', data } };
  });
  const hardState = { term: term(1), votedFor: null, committed: logIndex(index + count) };
  store.log.append({ entries, hardState, sync: true });
  store.log.syncNow();
  store.state.apply(entries);
}

/** Compacts what a log with these limits may be compacted, and says behind which entry it begins then. */
async function compact(limits: { logEntries?: number; logBytes?: number; keepEntries?: number } = {}) {
  const upkeep = new LogUpkeep({
    store,
    settings: { logBytes: 2 ** 30, logEntries: 100, keepEntries: 10, ...limits },
    status: () => ({ peers }) as RaftStatus,
    neededForSnapshots: () => neededForSnapshots,
    compact: async (upTo) => void store.compact(upTo),
    onFault: (error) => faults.push(error),
    logger: pino({ level: 'silent' }),
  });
  await upkeep.compact();
  upkeep.stop();
  expect(faults).toEqual([]);
  return store.log.compacted.index;
}

function peer(matched: number, over: Partial<PeerStatus> = {}): PeerStatus {
  return {
    matched: logIndex(matched),
    next: logIndex(matched + 1),
    state: 'replicate',
    recentlyActive: true,
    ...over,
  };
}

test('all but the tail goes, and only what the state has durably', async () => {
  append(150);
  expect(await compact()).toBe(140);
  expect(store.state.durable.index).toBe(150);
});

test('an active peer that is behind is waited for, one that is gone is not', async () => {
  append(150);
  peers = new Map([
    [nodeId(1), peer(150)],
    [nodeId(2), peer(60)],
    [nodeId(3), peer(20, { recentlyActive: false })],
    [nodeId(4), peer(0, { state: 'snapshot' })],
  ]);
  expect(await compact()).toBe(60);
});

test('so are the snapshots that are being sent', async () => {
  append(150);
  neededForSnapshots = logIndex(90);
  expect(await compact()).toBe(90);
});

test('nobody is waited for once the log is far longer than it should be', async () => {
  append(900);
  peers = new Map([[nodeId(2), peer(60)]]);
  neededForSnapshots = logIndex(70);
  expect(await compact()).toBe(890);
});

test('a tail that alone is too large is cut to half of the bytes', async () => {
  append(2000);
  const { bytes } = store.log.size();
  const first = await compact({ logBytes: Math.floor(bytes / 2), keepEntries: 1900 });
  expect(first).toBeGreaterThan(1300);
  expect(first).toBeLessThan(1700);
});

test('a few entries are not worth a sync', async () => {
  append(150);
  expect(await compact({ keepEntries: 145 })).toBe(0);
});
