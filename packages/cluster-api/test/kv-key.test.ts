import { describe, expect, test } from 'vitest';
import { kvKeyOf, parseKvKey } from '../src/cluster-http/kv-key.ts';

const limits = { maxPathBytes: 20, maxPathDepth: 3 };

describe('a key', () => {
  test.each([
    ['nodes/1/ip', '/nodes/1/ip'],
    ['/nodes/1/ip', '/nodes/1/ip'],
    ['a b', '/a b'],
    ['ключ', '/ключ'],
    ['...', '/...'],
  ])('%j is the path %j', (key, path) => {
    expect(parseKvKey(key, limits)).toEqual({ type: 'ok', value: path });
    expect(kvKeyOf(path)).toBe(key.replace(/^\//, ''));
  });

  test.each([
    ['', 'empty'],
    ['/', 'empty'],
    ['a//b', 'empty segment'],
    ['a/', 'empty segment'],
    ['//a', 'empty segment'],
    ['a/../b', 'dot segment'],
    ['.', 'dot segment'],
    ['a/b/c/d', 'deeper than 3'],
    ['x'.repeat(20), 'longer than 20 bytes'],
    ['\ud800', 'well-formed'],
  ])('%j is refused: %s', (key, reason) => {
    expect(parseKvKey(key, limits)).toMatchObject({
      type: 'refused',
      reason: expect.stringContaining(reason),
    });
  });
});
