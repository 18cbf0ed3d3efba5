import type { Leaf } from '@metad/kv-store';
import { expect, onTestFinished, test } from 'vitest';
import { Access } from '../src/access/access.ts';
import { LeafReader, type ReadLimits } from '../src/read/leaf-reader.ts';
import { readMetadataAtOnce } from '../src/read/metadata-read.ts';
import { finish, finishWithin } from '../src/steps.ts';
import { InProcessReplica } from './in-process-replica.ts';
import { manyLeaves } from './large-tree.ts';

const UNLIMITED: ReadLimits = { maxLeaves: 1e9, maxBytes: 1e9 };
const ALL = { tree: 'data', path: '/', as: '', takes: null } as const;

function replicaWith(count: number, value: string): InProcessReplica {
  const replica = new InProcessReplica();
  onTestFinished(() => replica.close());
  replica.applyAll([{ type: 'merge', tree: 'data', leaves: manyLeaves(value, count) }]);
  return replica;
}

test.each([
  { limits: { maxLeaves: 1000, maxBytes: 1e9 }, isOver: false },
  { limits: { maxLeaves: 999, maxBytes: 1e9 }, isOver: true },
  // The last leaf may go beyond it.
  { limits: { maxLeaves: 1e9, maxBytes: 9991 }, isOver: false },
  { limits: { maxLeaves: 1e9, maxBytes: 9990 }, isOver: true },
])('1000 leaves of ten bytes, with $limits: too much is $isOver', ({ limits, isOver }) => {
  const replica = replicaWith(1000, '0123456789');
  replica.state.read((view) => {
    const reader = new LeafReader(view, limits);
    const leaves = finish(reader.read(ALL));
    expect(reader.isOver).toBe(isOver);
    // What is over them is not read, nor anything behind it.
    expect(leaves).toEqual(view.leaves('data', '/').slice(0, isOver ? 999 : 1000));
    // The limits are for all that is read.
    finish(reader.read(ALL));
    expect(reader.isOver).toBe(true);
  });
});

test('a step is as long as some hundred leaves, or as a few large ones', () => {
  for (const [count, value] of [
    [5000, 'x'],
    [500, 'x'.repeat(2000)],
  ] as const) {
    const replica = replicaWith(count, value);
    replica.state.read((view) => {
      let steps = 1;
      const reading = new LeafReader(view, UNLIMITED).read(ALL);
      while (!reading.next().done) steps += 1;
      expect(steps).toBeGreaterThan(7);
      expect(steps).toBeLessThan(20);
      expect(finishWithin(new LeafReader(view, UNLIMITED).read(ALL), 4)).toBeNull();
      expect(finishWithin(new LeafReader(view, UNLIMITED).read(ALL), 20)).toHaveLength(count);
    });
  }
});

test('values of a megabyte are read one at a time, once it is known that they are so large', () => {
  const replica = replicaWith(20, 'x'.repeat(2 ** 20));
  replica.state.read((view) => {
    const limits: number[] = [];
    const watched = Object.create(view, {
      leavesPage: {
        value: (...asked: Parameters<typeof view.leavesPage>) => {
          limits.push(asked[2].limit);
          return view.leavesPage(...asked);
        },
      },
    });
    expect(finish(new LeafReader(watched, UNLIMITED).read(ALL))).toHaveLength(20);
    expect(limits).toEqual([8, ...Array.from({ length: 13 }, () => 1)]);
  });
});

test('what begins behind a leaf goes on where the limits ended what was before', () => {
  const replica = replicaWith(200, 'x');
  replica.state.read((view) => {
    const pages: Leaf[] = [];
    for (let after: string | null = null; ; after = pages.at(-1)?.[0] ?? null) {
      const reader = new LeafReader(view, { maxLeaves: 70, maxBytes: 1e9 });
      pages.push(...finish(reader.read({ ...ALL, as: null, after })));
      if (!reader.isOver) break;
    }
    expect(pages).toEqual(view.leaves('data', '/'));
  });
});

test('many small places are read in steps as well', () => {
  const replica = replicaWith(1000, 'x');
  replica.state.read((view) => {
    const reader = new LeafReader(view, UNLIMITED);
    let steps = 0;
    for (const [path] of view.leaves('data', '/')) {
      const reading = reader.read({ ...ALL, path });
      while (!reading.next().done) steps += 1;
    }
    expect(steps).toBeGreaterThan(5);
  });
});

test('leaves that may not be read count for the step, and not for the limits', () => {
  const replica = replicaWith(5000, 'x');
  replica.state.read((view) => {
    const reader = new LeafReader(view, { maxLeaves: 1, maxBytes: 1e9 });
    const [first] = view.leaves('data', '/');
    const reading = reader.read({ ...ALL, takes: (path) => path === first?.[0] });
    let steps = 1;
    let step = reading.next();
    for (; !step.done; step = reading.next()) steps += 1;
    expect(step.value).toEqual([first]);
    expect([reader.isOver, steps > 7]).toEqual([false, true]);
  });
});

test('what is too much for one turn is not compared', () => {
  const replica = replicaWith(5000, 'x');
  const profile = { id: 1, access: Access.ofTargets(['/']), mapping: null, hasRules: false };
  replica.state.read((view) => {
    expect(readMetadataAtOnce(new LeafReader(view, UNLIMITED), profile, '/')).toBeNull();
    expect(readMetadataAtOnce(new LeafReader(view, UNLIMITED), profile, '/none')).toEqual({
      type: 'missing',
    });
  });
});
