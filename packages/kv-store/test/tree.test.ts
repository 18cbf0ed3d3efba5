import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ContentCommand } from '../src/command.ts';
import { anyCommand, anyPath, applyCommands, openBoth } from './fixtures.ts';
import { inByteOrder, NaiveState } from './naive-state.ts';

function openState() {
  const { state, reader } = openBoth();
  const apply = (command: ContentCommand) => applyCommands(state, command).batch.changes;
  const shown = () => reader.read((view) => view.leaves('data', '/'));
  return { state, reader, apply, shown };
}

test('any commands make what a naive model makes: values, leaves, changes and version', () => {
  fc.assert(
    fc.property(fc.array(anyCommand, { minLength: 1, maxLength: 15 }), anyPath, (commands, path) => {
      const { state, reader } = openState();
      const naive = new NaiveState();
      for (const command of commands) {
        const expected = naive.apply(command);
        const changes = applyCommands(state, command).batch.changes.map((change) => {
          if (change.type === 'reset') throw new Error('no command resets the state');
          const names = change.type === 'data' ? change.paths : change.hosts;
          expect(names.length, 'each name once').toBe(new Set(names).size);
          const appeared = change.type === 'data' ? new Set(change.paths.slice(0, change.appeared)) : null;
          return { type: change.type, version: change.version, names: new Set(names), appeared };
        });
        expect(changes).toEqual(expected === null ? [] : [{ ...expected, version: naive.version }]);
        expect(state.version).toBe(naive.version);
      }
      reader.read((view) => {
        for (const tree of ['data', 'mapping'] as const) {
          expect(view.values(tree, { after: null, limit: 1000 })).toEqual(
            inByteOrder([...naive.trees[tree]]),
          );
          expect(view.leaves(tree, '/')).toEqual(naive.leaves(tree, '/'));
          expect(view.leaves(tree, path)).toEqual(naive.leaves(tree, path));
          expect(view.value(tree, path)).toBe(naive.trees[tree].get(path));
        }
        expect(new Map(view.allRules())).toEqual(naive.rules);
      });
    }),
    { numRuns: 150 },
  );
});

test('a value is hidden while there are children and shows again when the last one goes', () => {
  const { reader, apply, shown } = openState();
  apply({ type: 'merge', tree: 'data', leaves: [['/a', 'own']] });
  expect(apply({ type: 'merge', tree: 'data', leaves: [['/a/b/c', 'x']] })).toEqual([
    { type: 'data', version: 2, paths: ['/a/b/c', '/a'], appeared: 1 },
  ]);
  expect(shown()).toEqual([['/a/b/c', 'x']]);
  expect(reader.read((view) => view.value('data', '/a'))).toBe('own');
  expect(apply({ type: 'delete', tree: 'data', paths: ['/a/b'] })).toEqual([
    { type: 'data', version: 3, paths: ['/a', '/a/b/c'], appeared: 1 },
  ]);
  expect(shown()).toEqual([['/a', 'own']]);
});

test('a hidden value that changes makes a version and wakes nobody', () => {
  const { apply } = openState();
  apply({ type: 'merge', tree: 'data', leaves: [['/a/b', 'x']] });
  expect(apply({ type: 'merge', tree: 'data', leaves: [['/a', 'hidden']] })).toEqual([
    { type: 'data', version: 2, paths: [], appeared: 0 },
  ]);
  expect(apply({ type: 'deleteValue', tree: 'data', path: '/a' })).toEqual([
    { type: 'data', version: 3, paths: [], appeared: 0 },
  ]);
});

test('the nearest value above shows, not those further up', () => {
  const { apply, shown } = openState();
  apply({
    type: 'merge',
    tree: 'data',
    leaves: [
      ['/a', '1'],
      ['/a/b', '2'],
      ['/a/b/c', '3'],
    ],
  });
  expect(apply({ type: 'deleteValue', tree: 'data', path: '/a/b/c' })[0]).toMatchObject({
    paths: ['/a/b', '/a/b/c'],
    appeared: 1,
  });
  expect(apply({ type: 'deleteValue', tree: 'data', path: '/a/b' })[0]).toMatchObject({
    paths: ['/a', '/a/b'],
    appeared: 1,
  });
  expect(shown()).toEqual([['/a', '1']]);
});

test('replacing a tree by itself is no change; replacing it by a part names only what went', () => {
  const { apply, shown } = openState();
  const leaves = [
    ['/a/x', '1'],
    ['/a/y', '2'],
  ] as const;
  apply({ type: 'merge', tree: 'data', leaves });
  expect(apply({ type: 'replace', tree: 'data', path: '/a', leaves })).toEqual([]);
  expect(apply({ type: 'replace', tree: 'data', path: '/a', leaves: [leaves[0]] })).toEqual([
    { type: 'data', version: 2, paths: ['/a/y'], appeared: 0 },
  ]);
  expect(shown()).toEqual([['/a/x', '1']]);
});

test('a subtree ends before its siblings in byte order', () => {
  const { reader, apply } = openState();
  const names = ['/a-b', '/a/b', '/a0', '/a.', '/a\u0001', '/ab', '/a/é', '/a/～', '/a/𐐀'];
  apply({ type: 'merge', tree: 'data', leaves: names.map((name) => [name, 'x']) });
  reader.read((view) => {
    expect(view.leaves('data', '/a').map(([path]) => path)).toEqual(['/a/b', '/a/é', '/a/～', '/a/𐐀']);
    expect(view.leaves('data', '/')).toEqual(inByteOrder(names.map((name) => [name, 'x'])));
  });
});

test('an empty rule list is a rule set, and setting equal rules is no change', () => {
  const { reader, apply } = openState();
  const rules = [['10.0.0.1', [{ path: '/a', mode: 1 }]]] as const;
  expect(apply({ type: 'setRules', rules })).toEqual([{ type: 'rules', version: 1, hosts: ['10.0.0.1'] }]);
  expect(apply({ type: 'setRules', rules })).toEqual([]);
  expect(apply({ type: 'setRules', rules: [['10.0.0.1', []]] })).toHaveLength(1);
  expect(reader.read((view) => [view.rules('10.0.0.1'), view.rules('10.0.0.2')])).toEqual([[], undefined]);
  expect(apply({ type: 'deleteRules', hosts: ['10.0.0.1', '10.0.0.2'] })).toEqual([
    { type: 'rules', version: 3, hosts: ['10.0.0.1'] },
  ]);
});
