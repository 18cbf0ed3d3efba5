import { statSync } from 'node:fs';
import { join } from 'node:path';
import {
  AssertionError,
  type Entry,
  type HardState,
  logIndex,
  nodeId,
  term,
  ZERO_LOG_ID,
} from '@metad/raft-core';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { LogBatch } from '../src/log-batch.ts';
import { prepareLogStatements } from '../src/log-statements.ts';
import { LogStore } from '../src/log-store.ts';
import { appendSynced, blank, commandEntry, entry, membershipOf, temporaryDirectory } from './fixtures.ts';

function openLog(file = join(temporaryDirectory(), 'log.db')): LogStore {
  const log = LogStore.open(file);
  onTestFinished(() => log.close());
  return log;
}

function hardState(at: number, committed: number, votedFor: number | null = null): HardState {
  return {
    term: term(at),
    votedFor: votedFor === null ? null : nodeId(votedFor),
    committed: logIndex(committed),
  };
}

function readAll(log: LogStore, maxBytes = 1e9): Entry[] {
  const entries: Entry[] = [];
  for (let from = logIndex(1); from <= log.lastLog.index; from = logIndex(from + 1)) {
    const page = log.entries({ from, to: logIndex(log.lastLog.index + 1), maxBytes });
    entries.push(...page);
    from = logIndex(from + page.length - 1);
  }
  return entries;
}

/** The log as an array; index 1 is at 0. */
interface Model {
  file: string;
  entries: Entry[];
  hardState: HardState;
}

interface Real {
  log: LogStore;
}

/** Appends at `from` places before the end, in a term that is `later` than the last one. */
class Append implements fc.Command<Model, Real> {
  readonly #overlap: number;
  readonly #later: number;
  readonly #sizes: readonly number[];
  readonly #committed: number;

  constructor(overlap: number, later: number, sizes: readonly number[], committed: number) {
    this.#overlap = overlap;
    this.#later = later;
    this.#sizes = sizes;
    this.#committed = committed;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const first = Math.max(model.hardState.committed + 1, model.entries.length + 1 - this.#overlap);
    const at = Math.max(model.hardState.term, 1) + this.#later;
    const added = this.#sizes.map((size, offset) => this.#entry(first + offset, at, size));
    const entries = added.length === 0 ? model.entries : [...model.entries.slice(0, first - 1), ...added];
    const committed = Math.min(model.hardState.committed + this.#committed, entries.length);
    const saved = this.#committed === 0 && this.#later === 0 ? null : hardState(at, committed, 2);
    appendSynced(real.log, { entries: added, hardState: saved });
    model.entries = entries;
    model.hardState = saved ?? model.hardState;
  }

  #entry(index: number, at: number, size: number): Entry {
    if (size === 0) return blank(index, at);
    if (size === 1) return entry(index, { type: 'membership', membership: membershipOf(index) }, at);
    return entry(index, { type: 'command', data: Buffer.alloc(size, index) }, at);
  }

  toString(): string {
    return `Append(${this.#overlap}, ${this.#later}, [${this.#sizes}], ${this.#committed})`;
  }
}

class CommitUnsynced implements fc.Command<Model, Real> {
  check(model: Readonly<Model>): boolean {
    return model.hardState.committed < model.entries.length;
  }

  run(model: Model, real: Real): void {
    model.hardState = { ...model.hardState, committed: logIndex(model.hardState.committed + 1) };
    real.log.append({ entries: [], hardState: model.hardState, sync: false });
  }

  toString(): string {
    return 'CommitUnsynced()';
  }
}

class Reopen implements fc.Command<Model, Real> {
  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    real.log.close();
    real.log = LogStore.open(model.file);
  }

  toString(): string {
    return 'Reopen()';
  }
}

class Compare implements fc.Command<Model, Real> {
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  check(): boolean {
    return true;
  }

  run({ entries, hardState }: Model, { log }: Real): void {
    expect(log.hardState).toEqual(hardState);
    expect(readAll(log, this.#maxBytes)).toEqual(entries);
    const ids = entries.map(({ term, leader, index }) => ({ term, leader, index }));
    expect(log.lastLog).toEqual(ids.at(-1) ?? ZERO_LOG_ID);
    for (const id of ids) expect(log.logId(id.index)).toEqual(id);
    expect(log.logId(logIndex(0))).toBeUndefined();
    expect(log.logId(logIndex(entries.length + 1))).toBeUndefined();
    const middle = logIndex(Math.floor(entries.length / 2));
    const later = entries.filter((one) => one.index > middle && one.payload.type === 'membership');
    expect(log.memberships(middle).map(({ logId }) => logId.index)).toEqual(later.map(({ index }) => index));
  }

  toString(): string {
    return `Compare(${this.#maxBytes})`;
  }
}

test('the log is what an array is, through appends, truncations and restarts', () => {
  const sizes = fc.array(fc.constantFrom(0, 1, 2, 50, 5000), { maxLength: 5 });
  const commands = fc.commands(
    [
      fc
        .tuple(fc.nat(4), fc.nat(1), sizes, fc.nat(2))
        .map(([overlap, later, added, committed]) => new Append(overlap, later, added, committed)),
      fc.constant(new CommitUnsynced()),
      fc.constant(new Reopen()),
      fc.constantFrom(1, 200, 1e9).map((maxBytes) => new Compare(maxBytes)),
    ],
    { maxCommands: 30 },
  );
  fc.assert(
    fc.property(commands, (steps) => {
      const file = join(temporaryDirectory(), 'log.db');
      const real: Real = { log: LogStore.open(file) };
      try {
        fc.modelRun(() => ({ model: { file, entries: [], hardState: hardState(0, 0) }, real }), steps);
        const fresh: Model = { file, entries: readAll(real.log), hardState: real.log.hardState };
        new Reopen().run(fresh, real);
        new Compare(1e9).run(fresh, real);
      } finally {
        real.log.close();
      }
    }),
    { numRuns: 100 },
  );
});

test('a batch that breaks a rule of the log is refused whole', () => {
  const log = openLog();
  appendSynced(log, { entries: [blank(1), blank(2), blank(3)], hardState: hardState(2, 2, 1) });
  const refused: [string, LogBatch][] = [
    ['a gap', { entries: [blank(5)], hardState: null, sync: true }],
    ['a gap inside', { entries: [blank(4), blank(6)], hardState: null, sync: true }],
    ['terms that fall', { entries: [blank(4, 3), blank(5, 2)], hardState: null, sync: true }],
    ['a term below the entry before', { entries: [blank(4, 0)], hardState: null, sync: true }],
    ['a committed entry', { entries: [blank(2, 2)], hardState: null, sync: true }],
    ['entries without a sync', { entries: [blank(4)], hardState: null, sync: false }],
    ['an older term', { entries: [], hardState: hardState(1, 2), sync: true }],
    ['a second vote', { entries: [], hardState: hardState(2, 2, 3), sync: true }],
    ['a vote without a sync', { entries: [], hardState: hardState(3, 2, 3), sync: false }],
    ['a commit index that falls', { entries: [], hardState: hardState(2, 1, 1), sync: true }],
    ['a commit index beyond the log', { entries: [], hardState: hardState(2, 4, 1), sync: true }],
  ];
  for (const [name, batch] of refused) expect(() => log.append(batch), name).toThrow(AssertionError);
  expect(log.hardState).toEqual(hardState(2, 2, 1));
  expect(readAll(log)).toEqual([blank(1), blank(2), blank(3)]);
});

test('a commit index that moves alone is not written before the next synced batch or the end', () => {
  const directory = temporaryDirectory();
  const log = openLog(join(directory, 'log.db'));
  appendSynced(log, { entries: [blank(1), blank(2), blank(3)], hardState: hardState(1, 0, 1) });
  const size = () => statSync(join(directory, 'log.db-wal')).size;
  const before = size();
  log.append({ entries: [], hardState: hardState(1, 1, 1), sync: false });
  log.append({ entries: [], hardState: hardState(1, 2, 1), sync: false });
  expect(size()).toBe(before);
  expect(log.hardState.committed).toBe(2);
  appendSynced(log, { entries: [blank(4)], hardState: null });
  log.close();
  expect(openLog(join(directory, 'log.db')).hardState).toEqual(hardState(1, 2, 1));
});

test('entries stop at the limit in bytes, but never before the first', () => {
  const log = openLog();
  const large = (index: number) => entry(index, { type: 'command', data: Buffer.alloc(1000, index) });
  appendSynced(log, { entries: [large(1), large(2), large(3)], hardState: null });
  const read = (maxBytes: number) => log.entries({ from: logIndex(1), to: logIndex(4), maxBytes }).length;
  expect([read(0), read(1064), read(2127), read(2128), read(1e9)]).toEqual([1, 1, 1, 2, 3]);
});

test('memberships are found through an index, not by reading the log', () => {
  const file = join(temporaryDirectory(), 'log.db');
  openLog(file).close();
  const db = new Database(file);
  onTestFinished(() => void db.close());
  const { source } = prepareLogStatements(db).memberships;
  const plan = db.prepare<[number], { detail: string }>(`EXPLAIN QUERY PLAN ${source}`).all(5);
  expect(plan.map(({ detail }) => detail).join()).toMatch(/^SEARCH entry USING .*INDEX entry_membership/);
});

test('the identity is kept and can be completed', () => {
  const file = join(temporaryDirectory(), 'log.db');
  const log = openLog(file);
  expect(log.identity()).toBeNull();
  log.saveIdentity({ node: nodeId(3), instance: 'i', cluster: null });
  log.saveIdentity({ node: nodeId(3), instance: 'i', cluster: 'c' });
  log.close();
  expect(openLog(file).identity()).toEqual({ node: 3, instance: 'i', cluster: 'c' });
});

test('an entry whose bytes have changed on disk is named, and the log stays shut', () => {
  const file = join(temporaryDirectory(), 'log.db');
  const writer = openLog(file);
  const put = (index: number) => commandEntry(index, { type: 'delete', tree: 'data', paths: ['/a'] });
  appendSynced(writer, { entries: [put(1), put(2), put(3)], hardState: null });
  writer.close();
  const db = new Database(file);
  db.exec('UPDATE entry SET payload = zeroblob(3) WHERE idx = 2');
  db.close();
  const log = openLog(file);
  expect(() => readAll(log)).toThrow(
    expect.objectContaining({ code: 'damaged', message: expect.stringMatching(/log\.db.*entry 2/) }),
  );
  expect(() => appendSynced(log, { entries: [put(4)], hardState: null })).toThrow(/entry 2/);
});

test('a hole in the log is named', () => {
  const file = join(temporaryDirectory(), 'log.db');
  const writer = openLog(file);
  appendSynced(writer, { entries: [1, 2, 3, 4].map((index) => blank(index)), hardState: null });
  writer.close();
  const db = new Database(file);
  db.exec('DELETE FROM entry WHERE idx = 3');
  db.close();
  expect(() => readAll(openLog(file))).toThrow(
    expect.objectContaining({ message: expect.stringContaining('entry 3 is missing') }),
  );
});
