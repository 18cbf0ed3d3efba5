import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalPath, isAtOrBelow, joinPath, parentOf, ROOT, rangeBelow, segmentsOf } from '../src/path.ts';
import { anyPath } from './fixtures.ts';

test.each([
  ['', '/'],
  ['/', '/'],
  ['a', '/a'],
  ['//a///b/', '/a/b'],
  ['/a/./b/.', '/a/b'],
  ['/a/x/../b', '/a/b'],
  ['/../..', '/'],
  ['/../a', '/a'],
  ['/...', '/...'],
  ['/ a /\u0000', '/ a /\u0000'],
])('%j is stored as %j', (path, expected) => {
  expect(canonicalPath(path)).toBe(expected);
  expect(canonicalPath(expected)).toBe(expected);
});

test('a path is its parent and its last name', () => {
  fc.assert(
    fc.property(anyPath, (path) => {
      const parent = parentOf(path) ?? '';
      const name = segmentsOf(path).at(-1);
      expect(joinPath(parent, `/${name}`)).toBe(path);
      expect(joinPath(path, ROOT)).toBe(path);
      expect(segmentsOf(parent)).toEqual(segmentsOf(path).slice(0, -1));
    }),
  );
  expect(parentOf(ROOT)).toBeNull();
  expect(segmentsOf(ROOT)).toEqual([]);
});

test('the range below a path holds exactly what is below it, in byte order', () => {
  const bytes = (text: string) => Buffer.from(text);
  fc.assert(
    fc.property(fc.oneof(anyPath, fc.constant(ROOT)), anyPath, (above, path) => {
      const { from, to } = rangeBelow(above);
      const inside =
        Buffer.compare(bytes(path), bytes(from)) >= 0 && Buffer.compare(bytes(path), bytes(to)) < 0;
      expect(inside).toBe(path !== above && isAtOrBelow(path, above));
    }),
    { numRuns: 1000 },
  );
});
