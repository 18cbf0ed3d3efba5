import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Entry, logIndex, type SnapshotMeta, term, unreachable } from '@metad/raft-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Store, type StoreStep } from '../src/store.ts';
import { commandEntry, put, temporaryDirectory, writeSynced } from './fixtures.ts';

/** What a node does with its disk, as its driver asks for it. */
const anyAction = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('write' as const), count: fc.integer({ min: 1, max: 9 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('diverge' as const), count: fc.integer({ min: 1, max: 9 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('compact' as const), tail: fc.integer({ min: 0, max: 9 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ type: 'purge' as const }) },
  { weight: 2, arbitrary: fc.constant({ type: 'snapshot' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('install' as const), ahead: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'removeReplaced' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'checkpoint' as const }) },
);

type Action = typeof anyAction extends fc.Arbitrary<infer T> ? T : never;

/** The only command at an index, on every node: what a state holds follows from how far it has applied. */
function commandAt(index: number): Entry {
  return commandEntry(index, put(`/n/${index % 7}`, `${index}`));
}

function write(store: Store, last: number): void {
  const first = store.state.applied.index + 1;
  const entries = Array.from({ length: last - first + 1 }, (_, at) => commandAt(first + at));
  const hardState = { term: term(1), votedFor: null, committed: logIndex(last) };
  writeSynced(store, { snapshot: null, entries, hardState });
  store.state.apply(entries);
}

/** Appends what no leader will commit: the next entries replace it. */
function diverge(store: Store, count: number): void {
  const first = store.state.applied.index + 1;
  const entries = Array.from({ length: count }, (_, at) => commandEntry(first + at, put('/never', '1')));
  writeSynced(store, { snapshot: null, entries, hardState: null });
}

/** Another node that has applied everything up to and with `last`, and has a snapshot of it. */
function sender(last: number): Store {
  const store = Store.open(temporaryDirectory());
  write(store, last);
  store.takeSnapshotSync();
  return store;
}

function receiveFrom(source: Store, store: Store): SnapshotMeta {
  const reader = source.snapshots.openNewestSync();
  if (reader === null) throw new Error('the sender has no snapshot');
  const { meta, bytes, checksum } = reader.manifest;
  const receiver = store.snapshots.receive({ meta, bytes, checksum });
  receiver.writeSync(0, reader.readSync(0, 1024 * 1024));
  expect(receiver.finishSync().type).toBe('complete');
  reader.closeSync();
  return meta;
}

/** Installs what another node sends, with the first entry behind it, as one Ready may have it. */
function install(store: Store, ahead: number): void {
  const source = sender(store.state.applied.index + ahead);
  const snapshot = receiveFrom(source, store);
  source.close();
  const entries = [commandAt(snapshot.last.index + 1)];
  const hardState = { term: term(1), votedFor: null, committed: snapshot.last.index };
  writeSynced(store, { snapshot, entries, hardState });
  store.state.apply(entries);
}

function perform(store: Store, action: Action): void {
  const { applied } = store.state;
  switch (action.type) {
    case 'write':
      write(store, applied.index + action.count);
      break;
    case 'diverge':
      diverge(store, action.count);
      break;
    case 'compact':
      store.compact(logIndex(Math.max(applied.index - action.tail, 0)));
      break;
    case 'purge':
      store.log.purge({ maxEntries: 3, maxBytes: 1e6 });
      break;
    case 'snapshot':
      store.takeSnapshotSync();
      break;
    case 'removeReplaced':
      store.removeReplacedStates();
      break;
    case 'checkpoint':
      store.log.checkpointBeyond(1);
      store.state.checkpointBeyond(1);
      break;
    case 'install':
      install(store, action.ahead);
      break;
    default:
      unreachable(action);
  }
  expect(store.state.durable.index, 'what is compacted is durable').toBeGreaterThanOrEqual(
    store.log.compacted.index,
  );
}

/** Opens what a crash left, brings the state up to date, and compares it with what the commands make. */
function expectWhole(directory: string, acknowledged: number): void {
  const store = Store.open(directory);
  const { applied, hardState, compacted } = store.initialState();
  const { committed } = hardState;
  expect(committed, 'nothing that was acknowledged is lost').toBeGreaterThanOrEqual(acknowledged);
  const to = logIndex(committed + 1);
  if (applied.index < committed) {
    store.state.apply(store.log.entries({ from: logIndex(applied.index + 1), to, maxBytes: 1e9 }));
  }
  const model = Store.open(temporaryDirectory());
  if (committed > 0) write(model, committed);
  expect([store.state.version, store.state.digest]).toEqual([model.state.version, model.state.digest]);
  if (compacted.index < committed) {
    const range = { from: logIndex(compacted.index + 1), to, maxBytes: 1e9 };
    expect(store.log.entries(range)).toEqual(model.log.entries(range));
  }
  const names = readdirSync(directory).filter((name) => /^state.*\.db$/.test(name));
  expect(names, 'replaced and half installed states are gone').toHaveLength(1);
  const snapshots = readdirSync(join(directory, 'snapshots'));
  expect(snapshots.length, 'so are parts and older snapshots').toBeLessThanOrEqual(1);
  const before = store.snapshots.newest;
  if (before !== null) expect(store.snapshots.openNewestSync()?.manifest.meta.last).toEqual(before.last);
  write(store, committed + 1);
  store.close();
  model.close();
}

test('a crash at any step of taking, installing and compacting leaves the old or the new state, whole', () => {
  const actions = fc.array(anyAction, { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(actions, fc.integer({ min: 0, max: 20 }), (list, crashAt) => {
      const directory = temporaryDirectory();
      const crashed = join(temporaryDirectory(), 'crashed');
      let acknowledged = 0;
      let synced = 0;
      let steps = 0;
      const reach = (_step: StoreStep | 'action') => {
        if (steps++ !== crashAt) return;
        cpSync(directory, crashed, { recursive: true });
        synced = acknowledged;
      };
      const store = Store.open(directory, { onStep: reach });
      for (const action of list) {
        perform(store, action);
        acknowledged = store.state.applied.index;
        reach('action');
      }
      if (!existsSync(crashed)) {
        cpSync(directory, crashed, { recursive: true });
        synced = acknowledged;
      }
      store.close();
      expectWhole(crashed, synced);
    }),
    { numRuns: 80 },
  );
});
