import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, suggestionFor } from '../src/config/suggestion.ts';

test('counts letters put in, left out, replaced and swapped', () => {
  expect(editDistance('listen', 'listen')).toBe(0);
  expect(editDistance('listn', 'listen')).toBe(1);
  expect(editDistance('listen', 'listn')).toBe(1);
  expect(editDistance('lixten', 'listen')).toBe(1);
  expect(editDistance('lsiten', 'listen')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
  expect(editDistance('kitten', 'sitting')).toBe(3);
});

test('is symmetric, zero only for equal words, and at most the length of the longer', () => {
  const word = fc.string({ maxLength: 12, unit: fc.constantFrom('a', 'b', '_') });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      expect(distance).toBe(editDistance(b, a));
      expect(distance === 0).toBe(a === b);
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});

test('suggests the nearest name, and nothing when none is near', () => {
  const known = ['listen', 'listen_manage', 'listen_cluster', 'id', 'xff'];
  expect(suggestionFor('listen_manager', known)).toBe('listen_manage');
  expect(suggestionFor('lisen', known)).toBe('listen');
  expect(suggestionFor('xf', known)).toBe('xff');
  expect(suggestionFor('backend', known)).toBeNull();
});
