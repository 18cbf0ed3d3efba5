import type { AccessRule } from '@metad/kv-store';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Access } from '../src/access/access.ts';

const names = fc.constantFrom('a', 'b', 'c');
const paths = fc.array(names, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
const rulePaths = fc
  .array(fc.constantFrom('a', 'b', '*'), { maxLength: 4 })
  .map((segments) => `/${segments.join('/')}`);
const ruleLists = fc.uniqueArray(
  fc.record({ path: rulePaths, mode: fc.constantFrom(0 as const, 1 as const) }),
  { selector: (rule) => rule.path, maxLength: 8 },
);

/** The contract word by word: compare all rules that match, two at a time. */
function naive(rules: readonly AccessRule[], path: string): AccessRule | null {
  const names = split(path);
  let best: AccessRule | null = null;
  for (const rule of rules) {
    const pattern = split(rule.path);
    const matches =
      pattern.length <= names.length && pattern.every((name, i) => name === '*' || name === names[i]);
    if (matches && (best === null || beats(split(rule.path), split(best.path)))) best = rule;
  }
  return best;
}

function beats(a: string[], b: string[]): boolean {
  for (let level = 0; level < Math.min(a.length, b.length); level += 1) {
    if (a[level] !== b[level]) return b[level] === '*';
  }
  return a.length > b.length;
}

const split = (path: string): string[] => path.split('/').filter((name) => name !== '');
const isBelow = (path: string, ancestor: string): boolean =>
  ancestor === '/' || path === ancestor || path.startsWith(`${ancestor}/`);

describe('the winning rule', () => {
  test('is the one that the contract names, for any rules and any path', () => {
    fc.assert(
      fc.property(ruleLists, paths, (rules, path) => {
        const expected = naive(rules, path);
        const access = Access.ofRules(rules);
        expect(access.allows(path)).toBe(expected?.mode === 1);
        const index = expected === null ? -1 : rules.indexOf(expected);
        const ruling = expected && { path: expected.path, allows: expected.mode === 1, index };
        expect(access.ruling(path)).toEqual(ruling);
      }),
      { numRuns: 5000 },
    );
  });

  test('does not depend on the order of the list', () => {
    fc.assert(
      fc.property(ruleLists, paths, (rules, path) => {
        expect(Access.ofRules([...rules].reverse()).allows(path)).toBe(Access.ofRules(rules).allows(path));
      }),
    );
  });

  test('a target is no pattern', () => {
    const access = Access.ofTargets(['/nodes/*']);
    expect(access.allows('/nodes/*/x')).toBe(true);
    expect(access.allows('/nodes/1')).toBe(false);
  });

  test('names of the language are names', () => {
    const access = Access.ofRules([{ path: '/a', mode: 1 }]);
    expect(access.allows('/__proto__')).toBe(false);
    expect(Access.ofRules([{ path: '/__proto__', mode: 1 }]).allows('/__proto__/x')).toBe(true);
  });
});

describe('what is derived from the rules', () => {
  test('a common answer for a subtree holds for every path in it', () => {
    fc.assert(
      fc.property(ruleLists, paths, fc.array(paths), (rules, top, leaves) => {
        const access = Access.ofRules(rules);
        const common = access.allowsAllBelow(top);
        for (const leaf of leaves.filter((path) => isBelow(path, top))) {
          if (common !== null) expect(access.allows(leaf)).toBe(common);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('every readable leaf lies below an opening, and every opening within what was asked for', () => {
    fc.assert(
      fc.property(ruleLists, paths, fc.array(paths), (rules, top, leaves) => {
        const access = Access.ofRules(rules);
        const openings = access.openings(top);
        for (const opening of openings) {
          expect(isBelow(opening, top)).toBe(true);
          expect(openings.filter((other) => isBelow(opening, other))).toEqual([opening]);
        }
        for (const leaf of leaves.filter((path) => isBelow(path, top) && access.allows(path))) {
          expect(openings.some((opening) => isBelow(leaf, opening))).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a client that may read one place in a large tree waits there and not at the root', () => {
    const access = Access.ofRules([
      { path: '/', mode: 0 },
      { path: '/nodes/7', mode: 1 },
      { path: '/apps/*/env', mode: 1 },
    ]);
    expect([...access.openings('/')].sort()).toEqual(['/apps', '/nodes/7']);
    expect(access.openings('/nodes/8')).toEqual([]);
  });

  test('very many openings become one', () => {
    const rules = Array.from({ length: 100 }, (_, i): AccessRule => ({ path: `/n/${i}`, mode: 1 }));
    expect(Access.ofRules(rules).openings('/n')).toEqual(['/n']);
  });
});
