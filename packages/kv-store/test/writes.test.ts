import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type ContentCommand,
  type Precondition,
  type TreeName,
  type WriteCommand,
  type WriteResult,
  writeOf,
} from '../src/command.ts';
import { STATE_LIMITS } from '../src/command-applier.ts';
import { MAX_LOOK_BACK_VERSIONS } from '../src/preconditions.ts';
import { PriorValues } from '../src/prior-values.ts';
import { StateDatabase } from '../src/state-database.ts';
import { StateMachine } from '../src/state-machine.ts';
import { version } from '../src/version.ts';
import { bareEntry, dump, lookInto, openBoth, temporaryDirectory } from './fixtures.ts';

const set = (path: string, value = 'x'): ContentCommand => ({
  type: 'merge',
  tree: 'data',
  leaves: [[path, value]],
});
const remove = (path: string): ContentCommand => ({ type: 'delete', tree: 'data', paths: [path] });

function apply(state: StateMachine, ...writes: WriteCommand[]): WriteResult[] {
  const next = state.applied.index + 1;
  return [...state.apply(writes.map((write, at) => bareEntry(next + at, write))).results];
}

function only(results: readonly WriteResult[]): WriteResult {
  return results[0] ?? expect.unreachable();
}

const since = (path: string, at: number): Precondition => ({
  type: 'unchangedSince',
  tree: 'data',
  path,
  version: version(at),
});

describe('several operations', () => {
  test('are one version, one history entry, and one change for each kind', () => {
    const { state, reader } = openBoth();
    const operations: ContentCommand[] = [
      set('/a', '1'),
      { type: 'merge', tree: 'mapping', leaves: [['/10.0.0.1/node', '/a']] },
      { type: 'setRules', rules: [['10.0.0.1', [{ path: '/', mode: 1 }]]] },
      set('/b', '2'),
      remove('/a'),
    ];
    const { batch } = state.apply([bareEntry(1, { ...writeOf(operations, { author: 'me' }), time: 7 })]);
    expect(batch.changes).toEqual([
      { type: 'data', version: 1, paths: ['/b'], appeared: 1 },
      { type: 'mapping', version: 1, hosts: ['10.0.0.1'] },
      { type: 'rules', version: 1, hosts: ['10.0.0.1'] },
    ]);
    expect(reader.read((view) => view.history({ before: null, limit: 9 }))).toEqual([
      {
        version: 1,
        time: 7,
        author: 'me',
        changes: [
          { kind: 'data', path: '/b', before: null },
          { kind: 'mapping', path: '/10.0.0.1/node', before: null },
          { kind: 'rules', path: '10.0.0.1', before: null },
        ],
      },
    ]);
  });

  test('do nothing at all when a precondition fails, and say which', () => {
    const { state, reader } = openBoth();
    const preconditions: Precondition[] = [
      { type: 'absent', tree: 'data', path: '/a' },
      { type: 'present', tree: 'mapping', path: '/1' },
    ];
    const write = writeOf([remove('/'), set('/a')], { preconditions, idempotencyKey: 'k' });
    expect(apply(state, write)).toEqual([{ type: 'preconditionFailed', version: 0, precondition: 1 }]);
    expect(reader.read((view) => [view.version(), view.leaves('data', '/')])).toEqual([0, []]);
    // A failure is not remembered: the same request may succeed later.
    apply(state, writeOf([{ type: 'merge', tree: 'mapping', leaves: [['/1/a', '/a']] }]));
    expect(apply(state, write)).toEqual([{ type: 'applied', version: 2 }]);
  });

  test('that change nothing make no version and no history, but are remembered', () => {
    const { state, reader } = openBoth();
    const write = writeOf([remove('/none'), set('/a')], { idempotencyKey: 'k' });
    const nothing = writeOf([remove('/none')], { idempotencyKey: 'other' });
    expect(apply(state, nothing, write, nothing, write)).toEqual([
      { type: 'applied', version: 0 },
      { type: 'applied', version: 1 },
      { type: 'repeated', version: 0 },
      { type: 'repeated', version: 1 },
    ]);
    expect(reader.read((view) => view.history({ before: null, limit: 9 }))).toHaveLength(1);
  });
});

describe('what operations of one write undo of each other', () => {
  const rules: ContentCommand = { type: 'setRules', rules: [['10.0.0.1', [{ path: '/', mode: 1 }]]] };
  const noRules: ContentCommand = { type: 'deleteRules', hosts: ['10.0.0.1'] };

  test.each<[string, ContentCommand[]]>([
    ['a value that comes and goes', [set('/new'), remove('/new')]],
    ['a value that is set to another and back', [set('/a', 'other'), set('/a')]],
    ['a tree that is deleted and set again', [remove('/t'), set('/t/1'), set('/t'), set('/t/2')]],
    ['a leaf that is hidden and shows again', [set('/a/child'), remove('/a/child')]],
    ['a hidden value that goes and comes', [{ type: 'deleteValue', tree: 'data', path: '/t' }, set('/t')]],
    ['rules that come and go', [rules, noRules]],
  ])('is no change: %s', (_, operations) => {
    const { state, reader } = openBoth();
    apply(state, writeOf(['/a', '/t', '/t/1', '/t/2'].map((path) => set(path))));
    const rows = () =>
      reader.read((view) => [view.values('data', { after: null, limit: 9 }), view.allRules()]);
    const before = rows();
    const { batch, results } = state.apply([bareEntry(2, writeOf(operations))]);
    expect([results, batch.changes]).toEqual([[{ type: 'applied', version: 1 }], []]);
    expect(rows()).toEqual(before);
    const guards = ['/a', '/t', '/t/1', '/'].map((path) => writeOf([], { preconditions: [since(path, 1)] }));
    expect(apply(state, ...guards).map(({ type }) => type)).toEqual(guards.map(() => 'applied'));
    expect(reader.read((view) => view.history({ before: null, limit: 9 }))).toHaveLength(1);
  });

  test('is left out of a change of something else, and its rows stay as old as they are', () => {
    const { state, reader } = openBoth();
    apply(state, writeOf([set('/a'), set('/t/1')]));
    const operations = [set('/a', 'y'), remove('/t'), set('/b'), set('/a'), set('/t/1'), set('/t/2')];
    const { batch } = state.apply([bareEntry(2, writeOf(operations))]);
    expect(batch.changes).toEqual([{ type: 'data', version: 2, paths: ['/b', '/t/2'], appeared: 2 }]);
    const [newest] = reader.read((view) => view.history({ before: null, limit: 1 }));
    expect(newest?.changes?.map(({ path }) => path)).toEqual(['/b', '/t/2']);
    const guards = ['/a', '/t/1', '/t'].map((path) => writeOf([], { preconditions: [since(path, 1)] }));
    expect(apply(state, ...guards).map(({ type }) => type)).toEqual([
      'applied',
      'applied',
      'preconditionFailed',
    ]);
  });

  test('is no change either where it is too large for the history', () => {
    const { state } = openBoth();
    const leaves = Array.from({ length: 2000 }, (_, i) => [`/big/${i}`, 'x'.repeat(1000)] as const);
    const fill: ContentCommand = { type: 'merge', tree: 'data', leaves };
    expect(apply(state, writeOf([fill]), writeOf([remove('/big'), fill]))).toEqual([
      { type: 'applied', version: 1 },
      { type: 'applied', version: 1 },
    ]);
  });
});

describe('an idempotency key', () => {
  test('belongs to one request, whoever repeats it', () => {
    const { state } = openBoth();
    const write = writeOf([set('/a', '1')], { idempotencyKey: 'k', author: 'one' });
    const other = writeOf([set('/a', '2')], { idempotencyKey: 'k', author: 'one' });
    const guarded = writeOf([set('/a', '1')], { idempotencyKey: 'k', preconditions: [since('/', 0)] });
    const results = apply(state, write, other, { ...write, author: 'two', time: 5 }, guarded);
    expect(results.map(({ type }) => type)).toEqual(['applied', 'keyReused', 'repeated', 'keyReused']);
    expect(state.version).toBe(1);
  });

  test('is remembered for the latest requests only', () => {
    const file = join(temporaryDirectory(), 'state.db');
    const requests = { ...STATE_LIMITS.requests, maxRequests: 128 };
    const state = StateMachine.open(file, { ...STATE_LIMITS, requests });
    onTestFinished(() => state.close());
    const write = (at: number) => writeOf([set('/n', String(at))], { idempotencyKey: `k${at}` });
    apply(state, ...Array.from({ length: 512 }, (_, at) => write(at)));
    const { bytes } = state;
    expect(only(apply(state, write(511)))).toEqual({ type: 'repeated', version: 512 });
    expect(only(apply(state, write(449)))).toMatchObject({ type: 'repeated' });
    expect(only(apply(state, write(400)))).toMatchObject({ type: 'applied' });
    state.close();
    expect(dump(file).tables.requests?.length).toBeLessThanOrEqual(128);
    const again = StateMachine.open(file, { ...STATE_LIMITS, requests });
    onTestFinished(() => again.close());
    // What the sums say of the past does not drift from the rows.
    expect(Math.abs(again.bytes - bytes)).toBeLessThan(3 * 4096);
  });
});

test('an empty root is there, and absent: reads find it, and there is nothing in it', () => {
  const { state } = openBoth();
  const holding = (tree: TreeName, path: string) =>
    (['present', 'absent'] as const).filter((type) => {
      const [result] = apply(state, writeOf([], { preconditions: [{ type, tree, path }] }));
      return result?.type === 'applied';
    });
  expect([holding('data', '/'), holding('mapping', '/')]).toEqual([
    ['present', 'absent'],
    ['present', 'absent'],
  ]);
  expect(holding('data', '/a')).toEqual(['absent']);
  apply(state, writeOf([set('/a')]));
  expect([holding('data', '/'), holding('data', '/a')]).toEqual([['present'], ['present']]);
});

describe('unchangedSince', () => {
  test('sees a child that came and went, and a value that was hidden at the version', () => {
    const { state } = openBoth();
    apply(state, writeOf([set('/a')]), writeOf([set('/a/b')]), writeOf([remove('/a/b')]));
    const holds = (path: string, at: number) =>
      only(apply(state, writeOf([], { preconditions: [since(path, at)] }))).type === 'applied';
    expect([1, 2, 3].map((at) => holds('/a', at))).toEqual([false, false, true]);
    expect([1, 2, 3].map((at) => holds('/', at))).toEqual([false, false, true]);
    expect(holds('/none', 3)).toBe(false);
  });

  test('of the root holds in an empty tree, as long as nothing came or went', () => {
    const { state } = openBoth();
    const verdicts = (tree: TreeName, ...versions: number[]) =>
      versions.map((at) => {
        const preconditions: Precondition[] = [{ ...since('/', at), tree }];
        return only(apply(state, writeOf([], { preconditions }))).type === 'applied';
      });
    expect(verdicts('data', 0)).toEqual([true]);
    apply(state, writeOf([set('/a')]), writeOf([remove('/')]));
    apply(state, writeOf([{ type: 'setRules', rules: [['10.0.0.1', []]] }]));
    expect(verdicts('data', 0, 1, 2, 3)).toEqual([false, false, true, true]);
    expect(verdicts('mapping', 0, 3)).toEqual([true, true]);
  });

  test('a version that is yet to come fails, also of the leaf that nobody ever changes', () => {
    const { state } = openBoth();
    apply(state, writeOf([set('/a/b')]));
    for (const path of ['/a/b', '/a', '/', '/none']) {
      const result = only(apply(state, writeOf([], { preconditions: [since(path, 2)] })));
      expect(result, path).toEqual({ type: 'preconditionFailed', version: 1, precondition: 0 });
    }
  });

  test('of several trees counts what came after the version of each', () => {
    const { state } = openBoth();
    apply(state, writeOf([set('/quiet/x')]), writeOf([set('/busy/x')]), writeOf([set('/z')]));
    const tries = [
      [since('/quiet', 1), since('/busy', 2)],
      [since('/busy', 2), since('/quiet', 1)],
      [since('/quiet', 0), since('/busy', 1)],
      [since('/quiet', 1), since('/busy', 1)],
    ];
    const results = tries.flatMap((preconditions) => apply(state, writeOf([], { preconditions })));
    expect(results).toEqual([
      { type: 'applied', version: 3 },
      { type: 'applied', version: 3 },
      { type: 'preconditionFailed', version: 3, precondition: 0 },
      { type: 'preconditionFailed', version: 3, precondition: 1 },
    ]);
  });

  test('of a tree reaches as far back as the history, and no further', () => {
    const history = { ...STATE_LIMITS.history, maxVersions: 8 };
    const file = join(temporaryDirectory(), 'state.db');
    const state = StateMachine.open(file, { ...STATE_LIMITS, history });
    onTestFinished(() => state.close());
    apply(state, writeOf([set('/quiet/x')]));
    apply(state, ...Array.from({ length: 20 }, (_, at) => writeOf([set('/busy', String(at))])));
    const holds = (at: number) =>
      only(apply(state, writeOf([], { preconditions: [since('/quiet', at)] }))).type === 'applied';
    // Version 21, of which the latest seven or eight are kept.
    const first = [...Array(22).keys()].findIndex(holds);
    expect(first).toBeGreaterThanOrEqual(13);
    expect(first).toBeLessThanOrEqual(14);
    expect(lookInto(file, (view) => view.historyStart())).toBe(first);
  });

  test('of a leaf is exact at any age, of a tree as far as is looked back', () => {
    const { state } = openBoth();
    apply(state, writeOf([set('/old/leaf')]));
    const busy = Array.from({ length: MAX_LOOK_BACK_VERSIONS }, (_, at) =>
      writeOf([set('/busy', String(at))]),
    );
    apply(state, ...busy);
    const guard = (path: string) => writeOf([], { preconditions: [since(path, 1)] });
    expect(apply(state, guard('/old/leaf'), guard('/old')).map(({ type }) => type)).toEqual([
      'applied',
      'applied',
    ]);
    apply(state, writeOf([set('/busy')]));
    expect(apply(state, guard('/old/leaf'), guard('/old')).map(({ type }) => type)).toEqual([
      'applied',
      'preconditionFailed',
    ]);
  });
});

describe('the history', () => {
  test('keeps only the names of a change that is too large: what it did not touch is unchanged', () => {
    const { state, reader } = openBoth();
    const leaves = Array.from({ length: 2000 }, (_, i) => [`/big/${i}`, 'x'.repeat(1000)] as const);
    apply(state, writeOf([set('/a'), set('/quiet/a')]), writeOf([{ type: 'merge', tree: 'data', leaves }]));
    apply(state, writeOf([remove('/big')]), writeOf([set('/b/c')]));
    const history = reader.read((view) => view.history({ before: version(3), limit: 2 }));
    expect(history.map(({ version, changes }) => [version, changes?.length ?? null])).toEqual([
      [3, null],
      [2, 2000],
    ]);
    const results = apply(
      state,
      writeOf([], { preconditions: [since('/quiet', 2)] }),
      writeOf([], { preconditions: [since('/', 3)] }),
      writeOf([], { preconditions: [since('/', 2)] }),
      writeOf([], { preconditions: [since('/a', 2)] }),
    );
    expect(results.map(({ type }) => type)).toEqual([
      'applied',
      'preconditionFailed',
      'preconditionFailed',
      'applied',
    ]);
    // It did touch that one, which is there again.
    apply(state, writeOf([set('/big/0')]));
    const again = apply(state, writeOf([], { preconditions: [since('/big', 2)] }));
    expect(only(again).type).toBe('preconditionFailed');
  });

  test('keeps nothing of a change whose names are too large: it may have changed anything', () => {
    const { state, reader } = openBoth();
    const long = 'n'.repeat(1000);
    const leaves = Array.from({ length: 2000 }, (_, i) => [`/big/${long}${i}`, 'x'] as const);
    apply(state, writeOf([set('/quiet/a')]), writeOf([{ type: 'merge', tree: 'data', leaves }]));
    const [newest] = reader.read((view) => view.history({ before: null, limit: 1 }));
    expect(newest).toMatchObject({ version: 2, changes: null });
    const guards = [1, 2].map((at) => writeOf([], { preconditions: [since('/quiet', at)] }));
    expect(apply(state, ...guards).map(({ type }) => type)).toEqual(['preconditionFailed', 'applied']);
  });

  test('holds no more old values at once than it may keep', () => {
    const prior = new PriorValues(100);
    prior.note('data', '/a', 'x'.repeat(50));
    expect([prior.takesValues, prior.encode()]).toEqual([true, `[["data","/a","${'x'.repeat(50)}"]]`]);
    prior.note('data', '/b', 'y'.repeat(50));
    expect([prior.takesValues, prior.encode()]).toEqual([false, '[["data","/a"],["data","/b"]]']);
    for (const path of ['/c', '/d', '/e', '/f']) prior.note('data', path, null);
    expect([prior.isOpen, prior.encode()]).toEqual([false, null]);
  });

  test('is bounded in bytes of what it keeps, however few characters they are', () => {
    const prior = new PriorValues(100);
    prior.note('data', '/a', '～'.repeat(50));
    expect(prior.encode()).toBe('[["data","/a"]]');
  });

  test('is bounded in bytes, and says where it begins', () => {
    const file = join(temporaryDirectory(), 'state.db');
    const history = { ...STATE_LIMITS.history, maxBytes: 64_000 };
    const state = StateMachine.open(file, { ...STATE_LIMITS, history });
    const reader = StateDatabase.open(file);
    onTestFinished(() => {
      reader.close();
      state.close();
    });
    for (let at = 0; at < 100; at++) apply(state, writeOf([set('/a', `${'x'.repeat(2000)}${at}`)]));
    const { kept, start } = reader.read((view) => ({
      kept: view.history({ before: null, limit: 1000 }),
      start: view.historyStart(),
    }));
    expect(kept.map(({ version }) => version)).toEqual(
      Array.from({ length: 100 - start }, (_, i) => 100 - i),
    );
    expect(kept.length).toBeGreaterThan(28);
    expect(kept.length).toBeLessThan(32);
  });

  test('does not count as the state’s bytes: deleting makes room', () => {
    const { state } = openBoth();
    const before = state.bytes;
    for (let at = 0; at < 20; at++) apply(state, writeOf([set('/a', String(at).repeat(100_000))]));
    apply(state, writeOf([remove('/a')]));
    expect(state.bytes - before).toBeLessThan(300_000);
  });
});

test('leaves come in pages', () => {
  const { state, reader } = openBoth();
  apply(state, writeOf(['/a', '/a/b', '/a/c', '/a-b', '/b'].map((path) => set(path, path))));
  reader.read((view) => {
    const page = (path: string, after: string | null, limit = 2) =>
      view.leavesPage('data', path, { after, limit }).map(([found]) => found);
    expect([page('/', null), page('/', '/a/b'), page('/', '/b')]).toEqual([
      ['/a-b', '/a/b'],
      ['/a/c', '/b'],
      [],
    ]);
    expect([page('/a', null, 1), page('/a', '/a/b'), page('/a', '/a')]).toEqual([
      ['/a/b'],
      ['/a/c'],
      ['/a/b', '/a/c'],
    ]);
    expect([page('/b', null), page('/b', '/b'), page('/none', null)]).toEqual([['/b'], [], []]);
  });
});
