import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import {
  type ContentCommand,
  type Leaf,
  type Precondition,
  type WriteCommand,
  writeOf,
} from '../src/command.ts';
import { STATE_LIMITS, type StateLimits } from '../src/command-applier.ts';
import { buildSnapshot } from '../src/snapshot-file.ts';
import { StateDatabase } from '../src/state-database.ts';
import { StateMachine } from '../src/state-machine.ts';
import type { StateView } from '../src/state-view.ts';
import { version } from '../src/version.ts';
import { anyWrite, bareEntry, dump, temporaryDirectory } from './fixtures.ts';
import { NaiveWrites } from './naive-history.ts';

/** Few, so that trimming happens. */
const MAX_VERSIONS = 6;
const LIMITS: StateLimits = {
  history: { ...STATE_LIMITS.history, maxVersions: MAX_VERSIONS },
  requests: STATE_LIMITS.requests,
};

const anyWrites = fc.array(anyWrite, { minLength: 1, maxLength: 25 });

/** All values and rules by kind and name. */
function valuesOf(view: StateView): Map<string, string> {
  const trees = (['data', 'mapping'] as const).flatMap((tree) =>
    view
      .values(tree, { after: null, limit: 1000 })
      .map(([path, value]): [string, string] => [`${tree}:${path}`, value]),
  );
  const rules = view
    .allRules()
    .map(([host, list]): [string, string] => [
      `rules:${host}`,
      JSON.stringify(list.map(({ path, mode }) => [path, mode])),
    ]);
  return new Map([...trees, ...rules]);
}

/** The paths of the leaves that are only in one of the two, or have another value there. */
function differing(before: readonly Leaf[], after: readonly Leaf[]): string[] {
  const [old, now] = [new Map(before), new Map(after)];
  const paths = new Set([...old.keys(), ...now.keys()]);
  return [...paths].filter((path) => old.get(path) !== now.get(path)).sort();
}

/** The values at each version that is kept, found by taking back one version after the other. */
function valuesByVersion(view: StateView): Map<number, Map<string, string>> {
  const found = new Map<number, Map<string, string>>();
  const values = valuesOf(view);
  let at: number = view.version();
  found.set(at, new Map(values));
  for (const { version, changes } of view.history({ before: null, limit: 1000 })) {
    for (const { kind, path, before } of changes ?? []) {
      if (before === null) values.delete(`${kind}:${path}`);
      else values.set(`${kind}:${path}`, before);
    }
    at = version - 1;
    found.set(at, new Map(values));
  }
  expect(at).toBe(view.historyStart());
  return found;
}

test('writes do what a naive model does: results, history, and every version that is kept', () => {
  fc.assert(
    fc.property(anyWrites, (writes) => {
      const file = join(temporaryDirectory(), 'state.db');
      const state = StateMachine.open(file, LIMITS);
      const reader = StateDatabase.open(file);
      onTestFinished(() => reader.close());
      const naive = new NaiveWrites(MAX_VERSIONS);
      for (const [at, write] of writes.entries()) {
        const before = reader.read((view) => view.leaves('data', '/'));
        const { results, batch } = state.apply([bareEntry(at + 1, write)]);
        expect(results).toEqual([naive.write(write)]);
        const after = reader.read((view) => view.leaves('data', '/'));
        const told = batch.changes.flatMap((change) => (change.type === 'data' ? change.paths : []));
        expect([...told].sort()).toEqual(differing(before, after));
        const [first] = batch.changes;
        const appeared = first?.type === 'data' ? first.appeared : 0;
        const shownBefore = new Map(before);
        expect(told.filter((path) => !shownBefore.has(path))).toEqual(told.slice(0, appeared));
      }
      state.close();
      reader.read((view) => {
        expect(view.historyStart()).toBe(naive.historyStart);
        const history = view.history({ before: null, limit: 1000 });
        const kept = naive.versions.filter(({ version }) => version > naive.historyStart).reverse();
        const plain = history.map(({ changes, ...entry }) => ({
          ...entry,
          changes: new Map(changes?.map(({ kind, path, before }) => [`${kind}:${path}`, before])),
        }));
        expect(plain).toEqual(kept);
        for (const [version, values] of valuesByVersion(view)) expect(values).toEqual(naive.values[version]);
      });
    }),
    { numRuns: 200 },
  );
});

const nearPath = fc.constantFrom('/a', '/a/b', '/a/b/c', '/d');
const nearOperation: fc.Arbitrary<ContentCommand> = fc.oneof(
  fc.record({
    type: fc.constant('merge' as const),
    tree: fc.constant('data' as const),
    leaves: fc.array(fc.tuple(nearPath, fc.constantFrom('x', 'y')), { minLength: 1, maxLength: 2 }),
  }),
  fc.record({
    type: fc.constant('deleteValue' as const),
    tree: fc.constant('data' as const),
    path: nearPath,
  }),
  fc.record({
    type: fc.constant('delete' as const),
    tree: fc.constant('data' as const),
    paths: fc.array(nearPath, { maxLength: 2 }),
  }),
  fc.record({
    type: fc.constant('replace' as const),
    tree: fc.constant('data' as const),
    path: nearPath,
    leaves: fc.array(fc.tuple(nearPath, fc.constantFrom('x', 'y')), { maxLength: 2 }),
  }),
);

/** Of one operation or several, which may undo each other. */
const nearWrites = fc.array(fc.array(nearOperation, { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 9,
});

test('nothing changed since a version: of each path, at each version, as of a naive model', () => {
  fc.assert(
    fc.property(nearWrites, (writes) => {
      const state = StateMachine.open(join(temporaryDirectory(), 'state.db'), LIMITS);
      const naive = new NaiveWrites(MAX_VERSIONS);
      const apply = (write: WriteCommand) => {
        const [result] = state.apply([bareEntry(state.applied.index + 1, write)]).results;
        expect(result).toEqual(naive.write(write));
      };
      const condition = (path: string, since: number): Precondition => {
        return { type: 'unchangedSince', tree: 'data', path, version: version(since) };
      };
      for (const operations of writes) {
        apply(writeOf(operations));
        for (let since = 0; since <= naive.state.version + 1; since++) {
          for (const path of ['/', '/a', '/a/b', '/a/b/c', '/d']) {
            apply(writeOf([], { preconditions: [condition(path, since)] }));
          }
        }
      }
      state.close();
    }),
    { numRuns: 25 },
  );
});

test('the same entries make the same rows of all tables: batched, replayed, or continued from a snapshot', () => {
  fc.assert(
    fc.property(anyWrites, fc.array(fc.nat(24), { maxLength: 4 }), fc.nat(24), (writes, cuts, at) => {
      const entries = writes.map((write, index) => bareEntry(index + 1, write));
      const one = open();
      const results = entries.flatMap((entry) => one.state.apply([entry]).results);
      one.state.close();
      const expected = dump(one.file);

      const batched = open();
      const ends = [...new Set([...cuts, entries.length])].sort((a, b) => a - b);
      const found = ends.flatMap((end, i) => {
        const batch = entries.slice(ends[i - 1] ?? 0, end);
        return batch.length === 0 ? [] : batched.state.apply(batch).results;
      });
      batched.state.close();
      expect(dump(batched.file)).toEqual(expected);
      expect(found).toEqual(results);

      // A crash at that point, and a copy of it that another node goes on from.
      const [first, rest] = [entries.slice(0, at), entries.slice(at)];
      const crashed = open();
      if (first.length > 0) crashed.state.apply(first);
      crashed.state.close();
      const snapshot = join(temporaryDirectory(), 'snapshot.db');
      buildSnapshot({ stateFile: crashed.file, to: snapshot, cluster: null });
      for (const file of [crashed.file, copied(snapshot)]) {
        const again = StateMachine.open(file, LIMITS);
        const later = rest.length > 0 ? again.apply(rest).results : [];
        again.close();
        expect(dump(file)).toEqual(expected);
        expect(later).toEqual(results.slice(at));
      }
    }),
    { numRuns: 40 },
  );
});

function open(): { readonly state: StateMachine; readonly file: string } {
  const file = join(temporaryDirectory(), 'state.db');
  return { state: StateMachine.open(file, LIMITS), file };
}

function copied(file: string): string {
  const to = join(temporaryDirectory(), 'state.db');
  copyFileSync(file, to);
  return to;
}
