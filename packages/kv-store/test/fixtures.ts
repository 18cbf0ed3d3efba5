import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Entry, logIndex, type Membership, nodeId, type Payload, term } from '@metad/raft-core';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { onTestFinished } from 'vitest';
import type { AppliedBatch } from '../src/change.ts';
import {
  type Command,
  type ContentCommand,
  type Leaf,
  type Precondition,
  type WriteCommand,
  writeOf,
} from '../src/command.ts';
import { encodeCommand } from '../src/command-codec.ts';
import type { LogBatch } from '../src/log-batch.ts';
import type { LogStore } from '../src/log-store.ts';
import { StateDatabase } from '../src/state-database.ts';
import { StateMachine } from '../src/state-machine.ts';
import type { StateView } from '../src/state-view.ts';
import { type PersistedReady, Store, type StoreOptions } from '../src/store.ts';
import { version } from '../src/version.ts';

/** An empty directory, removed with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'metad-kv-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A state of its own for one test, with a reader on another connection; both are closed with the test. */
export function openBoth(): { readonly state: StateMachine; readonly reader: StateDatabase } {
  const file = join(temporaryDirectory(), 'state.db');
  const state = StateMachine.open(file);
  const reader = StateDatabase.open(file);
  onTestFinished(() => {
    reader.close();
    state.close();
  });
  return { state, reader };
}

export function entry(index: number, payload: Payload, entryTerm = 1): Entry {
  return { term: term(entryTerm), leader: nodeId(1), index: logIndex(index), payload };
}

export function blank(index: number, entryTerm = 1): Entry {
  return entry(index, { type: 'blank' }, entryTerm);
}

/** A content command becomes a write, as a client's request does; each third has a key. */
export function commandEntry(index: number, command: Command, entryTerm = 1): Entry {
  if (command.type === 'write' || command.type === 'setFeatureLevel')
    return bareEntry(index, command, entryTerm);
  const idempotencyKey = index % 3 === 0 ? `key-${index}` : '';
  const write = writeOf([command], { author: '127.0.0.1', idempotencyKey });
  return bareEntry(index, { ...write, time: 1_000_000 + index }, entryTerm);
}

/** As it is: a content command as 0.1 wrote it. */
export function bareEntry(index: number, command: Command, entryTerm = 1): Entry {
  return entry(index, { type: 'command', data: encodeCommand(command) }, entryTerm);
}

export function membershipOf(...voters: number[]): Membership {
  const ids = voters.map(nodeId);
  return { configs: [ids], nodes: new Map(ids.map((id) => [id, { addr: `127.0.0.1:2100${id}` }])) };
}

/** Applies commands one entry each, behind what is applied already. */
export function applyCommands(state: StateMachine, ...commands: Command[]) {
  const next = state.applied.index + 1;
  return state.apply(commands.map((command, offset) => commandEntry(next + offset, command)));
}

/** A store of its own for one test, closed with it. */
export function openStore(directory = temporaryDirectory(), options: StoreOptions = {}): Store {
  const store = Store.open(directory, options);
  onTestFinished(() => store.close());
  return store;
}

/** Appends a batch; on disk when it returns. */
export function appendSynced(log: LogStore, batch: Omit<LogBatch, 'sync'>): void {
  log.append({ ...batch, sync: true });
  log.syncNow();
}

/** Does what a Ready asks of the disk; on disk when it returns. */
export function writeSynced(store: Store, ready: Omit<PersistedReady, 'mustSync'>): AppliedBatch | null {
  const installed = store.write({ ...ready, mustSync: true });
  store.log.syncNow();
  return installed;
}

/** Writes commands behind what the log holds, commits and applies them. */
export function writeCommands(store: Store, ...commands: Command[]): void {
  const next = store.log.lastLog.index + 1;
  const entries = commands.map((command, offset) => commandEntry(next + offset, command));
  const committed = logIndex(next + commands.length - 1);
  const hardState = { ...store.log.hardState, term: term(1), committed };
  writeSynced(store, { snapshot: null, entries, hardState });
  store.state.apply(entries);
}

/** Applies what the log has and the state lacks. */
export function catchUp(store: Store): void {
  const from = logIndex(store.state.applied.index + 1);
  const to = logIndex(store.log.lastLog.index + 1);
  if (from < to) store.state.apply(store.log.entries({ from, to, maxBytes: 1e9 }));
}

/** A command that sets one leaf. */
export function put(path: string, value: string): ContentCommand {
  return { type: 'merge', tree: 'data', leaves: [[path, value]] };
}

/** One look at a state file through a connection of its own. */
export function lookInto<T>(file: string, look: (view: StateView) => T): T {
  const database = StateDatabase.open(file);
  try {
    return database.read(look);
  } finally {
    database.close();
  }
}

/** The version that a leaf of the data counts as set by; undefined when there is no own value. */
export function rowVersion(file: string, path: string): number | undefined {
  const db = new Database(file, { readonly: true });
  try {
    const query = 'SELECT max(data.version, version_floor) FROM data, state WHERE path = ?';
    return db.prepare<[string], number>(query).pluck().get(path);
  } finally {
    db.close();
  }
}

/** Everything that the state holds, as plain data: what readers see of it, and every row of every table. */
export function dump(file: string) {
  const seen = lookInto(file, (view) => ({
    applied: view.applied(),
    version: view.version(),
    digest: view.digest(),
    data: view.values('data', { after: null, limit: 1e6 }),
    shown: view.leaves('data', '/'),
    mapping: view.values('mapping', { after: null, limit: 1e6 }),
    rules: view.allRules(),
    history: view.history({ before: null, limit: 1e6 }),
  }));
  return { ...seen, tables: dumpTables(file) };
}

function dumpTables(file: string) {
  const db = new Database(file, { readonly: true });
  try {
    const names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'manifest' ORDER BY name";
    const tables = db.prepare<[], string>(names).pluck().all();
    return Object.fromEntries(
      tables.map((name) => [name, db.prepare(`SELECT * FROM ${name} ORDER BY 1`).all()]),
    );
  } finally {
    db.close();
  }
}

/** Few names, so that paths meet; with neighbours of `/` in byte order, and pairs that UTF-16 would order otherwise. */
const anyName = fc.constantFrom('a', 'b', 'a-b', 'a0', 'a b', '~', '～', '𐐀', '__proto__');

export const anyPath = fc
  .array(anyName, { minLength: 1, maxLength: 4 })
  .map((names) => `/${names.join('/')}`);

const anyLeaf: fc.Arbitrary<Leaf> = fc.tuple(anyPath, fc.constantFrom('', 'x', 'y', '\0z'));
const anyPathOrRoot = fc.oneof({ weight: 9, arbitrary: anyPath }, { weight: 1, arbitrary: fc.constant('/') });
const anyTree = fc.constantFrom('data' as const, 'mapping' as const);
const anyLeaves = fc.array(anyLeaf, { maxLength: 6 });
const anyHost = fc.constantFrom('10.0.0.1', '10.0.0.2', 'fe80::1');
const anyRules = fc.array(fc.record({ path: anyPathOrRoot, mode: fc.constantFrom(0 as const, 1 as const) }), {
  maxLength: 3,
});

export const anyCommand: fc.Arbitrary<ContentCommand> = fc.oneof(
  fc.record({ type: fc.constant('merge' as const), tree: anyTree, leaves: anyLeaves }),
  fc.record({
    type: fc.constant('replace' as const),
    tree: anyTree,
    path: anyPathOrRoot,
    leaves: anyLeaves,
  }),
  fc.record({
    type: fc.constant('delete' as const),
    tree: anyTree,
    paths: fc.array(anyPathOrRoot, { maxLength: 3 }),
  }),
  fc.record({ type: fc.constant('deleteValue' as const), tree: anyTree, path: anyPathOrRoot }),
  fc.record({
    type: fc.constant('setRules' as const),
    rules: fc.array(fc.tuple(anyHost, anyRules), { maxLength: 3 }),
  }),
  fc.record({ type: fc.constant('deleteRules' as const), hosts: fc.array(anyHost, { maxLength: 2 }) }),
);

const anyPrecondition: fc.Arbitrary<Precondition> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('unchangedSince' as const),
      tree: anyTree,
      path: anyPathOrRoot,
      version: fc.nat(25).map(version),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom('absent', 'present'), tree: anyTree, path: anyPathOrRoot }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('equals' as const),
      tree: anyTree,
      path: anyPath,
      value: fc.constantFrom('', 'x', 'y'),
    }),
  },
);

const HOUR_MS = 60 * 60 * 1000;

/** Times go back and forth, as those of several leaders may, and far enough for keys to be forgotten. */
export const anyWrite: fc.Arbitrary<WriteCommand> = fc.record({
  type: fc.constant('write' as const),
  time: fc.integer({ min: 1, max: 60 }).map((hours) => 1.7e12 + hours * HOUR_MS),
  author: fc.constantFrom('', '10.0.0.9', 'Jörg (::1)'),
  idempotencyKey: fc.oneof(
    { weight: 2, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.constantFrom('k1', 'k2', '~'.repeat(255)) },
  ),
  preconditions: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(anyPrecondition, { maxLength: 3 }) },
  ),
  operations: fc.array(anyCommand, { maxLength: 3 }),
});
