import { describe, expect, test } from 'vitest';
import { parseTarget } from '../src/http/target.ts';

const LIMITS = { maxPathDepth: 4, maxPathBytes: 20 };

function pathOf(target: string): unknown {
  const parsed = parseTarget(target, LIMITS);
  return parsed.type === 'ok' ? parsed.value.path : parsed.problem.status;
}

describe('the path of a request target', () => {
  test.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/b/?x=1', '/a/b'],
    ['//a///b//', '/a/b'],
    ['/a/./b/../c', '/a/c'],
    ['/../../a', '/a'],
    ['/a%2Fb%2f', '/a/b'],
    ['/a/%2e%2e/b', '/b'],
    ['/a%2F..%2Fb', '/b'],
    ['/.hidden/a..b', '/.hidden/a..b'],
    ['/p+q%2B', '/p+q+'],
    ['/a%20b', '/a b'],
    ['/%2525', '/%25'],
    ['/%D0%BA', '/к'],
    ['/__proto__', '/__proto__'],
    ['/a%00b', '/a\0b'],
    ['http://host:80/a?b', '/a'],
    ['http://host', '/'],
    ['http://host?x', '/'],
    ['*', '/*'],
    ['', '/'],
    ['/a%2', 400],
    ['/%zz', 400],
    ['/%', 400],
    ['/%ff', 400],
    ['/%ed%a0%80', 400],
    ['/1/2/3/4/5', 400],
    ['/1/2/3/4', '/1/2/3/4'],
    [`/${'x'.repeat(19)}`, `/${'x'.repeat(19)}`],
    [`/${'x'.repeat(20)}`, 414],
    [`/${'%C3%A9'.repeat(10)}`, 414],
  ])('%s', (target, path) => expect(pathOf(target)).toBe(path));
});

test('the query is form encoded: a plus sign there is a blank', () => {
  const parsed = parseTarget('/a?subs=x+y,%20z&q=%D0%BA&bad=%zz', LIMITS);
  expect(parsed.type === 'ok' && Object.fromEntries(parsed.value.query ?? [])).toEqual({
    subs: 'x y, z',
    q: 'к',
    bad: '%zz',
  });
  const bare = parseTarget('/a', LIMITS);
  expect(bare.type === 'ok' && bare.value.query).toBeNull();
});
