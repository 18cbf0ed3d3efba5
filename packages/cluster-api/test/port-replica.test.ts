import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import {
  type AppliedBatch,
  type Change,
  type Command,
  decodeCommand,
  encodeCommand,
  StateDatabase,
  Store,
  version,
  writeOf,
} from '@metad/kv-store';
import { logIndex, nodeId, term } from '@metad/raft-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AppliedVersion } from '../src/http-thread/applied-version.ts';
import { type PackedBatch, packChange } from '../src/http-thread/packed-batch.ts';
import { type PackedProposals, unpackProposals } from '../src/http-thread/packed-proposals.ts';
import type { ToConsensus, ToHttp } from '../src/http-thread/port.ts';
import { PortReplica } from '../src/http-thread/port-replica.ts';

let dir: string;
let store: Store;
let state: StateDatabase;
let consensus: MessagePort;
let http: MessagePort;
let replica: PortReplica;
let received: ToConsensus[];
let applied: AppliedVersion;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'metad-port-'));
  store = Store.open(dir);
  state = StateDatabase.open(store.stateFile);
  const { port1, port2 } = new MessageChannel();
  [consensus, http] = [port1, port2];
  received = [];
  consensus.on('message', (message: ToConsensus) => received.push(message));
  const status = { caughtUp: false, hasLeader: false };
  applied = new AppliedVersion();
  replica = new PortReplica({
    port: http,
    state,
    status,
    appliedVersion: applied,
    maxEntryBytes: 200,
    onStop: () => undefined,
  });
  http.on('message', (message: Exclude<ToHttp, { type: 'stop' }>) => replica.receive(message));
});

afterEach(() => {
  consensus.close();
  http.close();
  state.close();
  store.close();
  rmSync(dir, { recursive: true });
});

/** The next message that crosses the port. */
async function next(): Promise<ToConsensus> {
  for (;;) {
    const message = received.shift();
    if (message) return message;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function answer(message: ToHttp): void {
  consensus.postMessage(message);
}

const put = (path: string, value = 'x') =>
  replica.propose(writeOf([{ type: 'merge', tree: 'data', leaves: [[path, value]] }]));

const CHANGE: Change = { type: 'data', version: version(1), paths: ['/a', '/b'], appeared: 1 };

function packed(batch: AppliedBatch): PackedBatch {
  const changes: (string | number)[] = [];
  for (const change of batch.changes) packChange(change, changes);
  return { ...batch, changes };
}

function unpacked(proposals: PackedProposals): { id: number; command: Command }[] {
  const found: { id: number; command: Command }[] = [];
  unpackProposals(proposals, (id, command) => found.push({ id, command: decodeCommand(command) }));
  return found;
}

test('what is applied shows at once to whoever reads in the same turn', () => {
  const leaf = () => replica.state.read((view) => view.value('data', '/a'));
  expect(leaf()).toBeUndefined();
  const command = encodeCommand({ type: 'merge', tree: 'data', leaves: [['/a', '1']] });
  const id = { term: term(1), leader: nodeId(1), index: logIndex(1) };
  store.state.apply([{ ...id, payload: { type: 'command', data: command } }]);
  applied.set(store.state.version);
  expect(leaf()).toBe('1');
});

test('the commands of one turn cross the port together, and each gets its own outcome', async () => {
  const outcomes = [put('/a'), put('/b')];
  const message = await next();
  if (message.type !== 'propose') throw new Error(`unexpected ${message.type}`);
  const proposals = unpacked(message.proposals);
  expect(proposals.map(({ command }) => command)).toMatchObject([
    { operations: [{ leaves: [['/a', 'x']] }] },
    { operations: [{ leaves: [['/b', 'x']] }] },
  ]);
  const [a, b] = proposals;
  answer({
    type: 'outcomes',
    batch: null,
    applied: [a?.id ?? 0, 4],
    others: [{ id: b?.id ?? 0, outcome: { type: 'unknown', message: 'who knows' } }],
  });
  expect(await Promise.all(outcomes)).toEqual([
    { type: 'applied', version: 4, repeated: false },
    { type: 'unknown', message: 'who knows' },
  ]);
});

test('commands of several turns and barriers between them get the outcomes that are theirs', async () => {
  const outcomes = [];
  const ids: number[] = [];
  for (const path of ['/a', '/b', '/c']) {
    outcomes.push(put(path));
    const message = await next();
    if (message.type !== 'propose') throw new Error(`unexpected ${message.type}`);
    ids.push(...unpacked(message.proposals).map(({ id }) => id));
    void replica.readBarrier();
    await next();
  }
  answer({ type: 'outcomes', batch: null, applied: ids.flatMap((id, i) => [id, 10 + i]), others: [] });
  expect(await Promise.all(outcomes)).toMatchObject([{ version: 10 }, { version: 11 }, { version: 12 }]);
});

test('the batch of an outcome is delivered before the outcome', async () => {
  const order: string[] = [];
  const outcome = put('/a').then(() => order.push('outcome'));
  const message = await next();
  if (message.type !== 'propose') throw new Error(`unexpected ${message.type}`);
  replica.subscribe(({ changes }) => order.push(`batch of ${changes.length}`));
  const batch = packed({ applied: store.state.applied, version: version(1), changes: [CHANGE] });
  answer({ type: 'outcomes', batch, applied: [message.proposals.firstId, 1], others: [] });
  await outcome;
  expect(order).toEqual(['batch of 1', 'outcome']);
});

test('a command that no entry can hold is refused before it crosses the port', async () => {
  expect(await put('/a', 'x'.repeat(300))).toMatchObject({ type: 'refused', reason: 'tooLarge' });
  expect(received).toEqual([]);
});

test('all who ask for a barrier in one turn share it; who asks later gets another', async () => {
  const first = [replica.readBarrier(), replica.readBarrier()];
  const asked = await next();
  const second = replica.readBarrier();
  const askedAgain = await next();
  if (asked.type !== 'barrier' || askedAgain.type !== 'barrier') throw new Error('expected barriers');
  answer({ type: 'barrier', id: asked.id, outcome: { type: 'ready' } });
  answer({ type: 'barrier', id: askedAgain.id, outcome: { type: 'unavailable', message: 'no leader' } });
  expect(await Promise.all(first)).toEqual([{ type: 'ready' }, { type: 'ready' }]);
  expect(await second).toMatchObject({ type: 'unavailable' });
});

test('batches reach those who subscribed, until they no longer do, and status is the latest', async () => {
  const seen: AppliedBatch[] = [];
  const unsubscribe = replica.subscribe((batch) => seen.push(batch));
  const changes: Change[] = [
    CHANGE,
    { type: 'mapping', version: version(2), hosts: ['10.0.0.1'] },
    { type: 'rules', version: version(3), hosts: ['10.0.0.1', '10.0.0.2'] },
    { type: 'data', version: version(4), paths: [], appeared: 0 },
    { type: 'reset', version: version(5) },
  ];
  const batch: AppliedBatch = { applied: store.state.applied, version: version(1), changes };
  answer({ type: 'applied', batch: packed(batch) });
  answer({ type: 'status', status: { caughtUp: true, hasLeader: true } });
  while (!replica.status().caughtUp) await new Promise((resolve) => setImmediate(resolve));
  unsubscribe();
  answer({ type: 'applied', batch: packed(batch) });
  answer({ type: 'status', status: { caughtUp: true, hasLeader: false } });
  while (replica.status().hasLeader) await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual([batch]);
});

test('the version is known as soon as it is applied, before the batch has crossed the port', () => {
  expect(replica.version()).toBe(0);
  applied.set(version(7));
  expect(replica.version()).toBe(7);
});

/** Another state file, with one version more for each value, as a snapshot would leave it. */
function replacedState(name: string, values: readonly string[]): string {
  const other = Store.open(join(dir, name));
  values.forEach((value, i) => {
    const data = encodeCommand({ type: 'merge', tree: 'data', leaves: [['/a', value]] });
    const entry = { term: term(1), leader: nodeId(1), index: logIndex(i + 1) };
    other.state.apply([{ ...entry, payload: { type: 'command', data } }]);
  });
  const { stateFile } = other;
  other.close();
  return stateFile;
}

function replaceState(stateFile: string, versionAfter: number): void {
  const changed = version(versionAfter);
  const changes = [{ type: 'reset', version: changed }] as const;
  const batch = packed({ applied: store.state.applied, version: changed, changes, stateFile });
  answer({ type: 'applied', batch });
  applied.noteReplacement();
  applied.set(changed);
}

test('a read finds the replaced state as soon as its version is known, before the port was looked at', async () => {
  const seen: AppliedBatch[] = [];
  replica.subscribe((batch) => seen.push(batch));
  answer({ type: 'applied', batch: { applied: store.state.applied, version: version(0), changes: [] } });
  replaceState(replacedState('one', ['first']), 1);
  // In the same turn: nothing can have crossed the port by itself.
  expect(replica.version()).toBe(1);
  expect(replica.state.read((view) => [view.version(), view.value('data', '/a')])).toEqual([1, 'first']);
  expect(seen.map(({ changes }) => changes.length)).toEqual([0, 1]);
  expect(await next()).toEqual({ type: 'reopened' });
});

test('whoever is told of a replaced state reads it, also when another one follows at once', async () => {
  const read: unknown[] = [];
  replica.subscribe(() => read.push(replica.state.read((view) => view.value('data', '/a'))));
  replaceState(replacedState('one', ['first']), 1);
  replaceState(replacedState('two', ['first', 'second']), 2);
  expect(replica.state.read((view) => view.value('data', '/a'))).toBe('second');
  expect(read).toEqual(['first', 'second']);
  expect([await next(), await next()]).toEqual([{ type: 'reopened' }, { type: 'reopened' }]);
});

test('who connects is shown in memory at once, and asks for the batches that were held back', async () => {
  replica.setWatched(true);
  expect(applied.isWatched).toBe(true);
  expect(await next()).toEqual({ type: 'watching' });
  replica.setWatched(false);
  expect(applied.isWatched).toBe(false);
});
