import { version } from '@metad/kv-store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { etagOf, readEtags } from '../src/http/etag.ts';

const FORMATS = ['text', 'json', 'yaml'] as const;

test('what is sent is read back, weak or strong, alone or among others', () => {
  const tag = fc.record({ version: fc.nat().map(version), format: fc.constantFrom(...FORMATS) });
  fc.assert(
    fc.property(fc.array(fc.tuple(tag, fc.boolean()), { minLength: 1 }), (given) => {
      const header = given.map(([{ version, format }, weak]) => (weak ? 'W/' : '') + etagOf(version, format));
      expect(readEtags(header.join(', '))).toEqual({ type: 'tags', tags: given.map(([one]) => one) });
    }),
  );
});

test.each([
  ['"7"', [{ version: 7, format: null }]],
  [
    ' "7" ,, "8.text",',
    [
      { version: 7, format: null },
      { version: 8, format: 'text' },
    ],
  ],
  ['"0.json"', [{ version: 0, format: 'json' }]],
  ['"abc"', []],
  ['"a,b", "9"', [{ version: 9, format: null }]],
  ['"7.xml", "-1", "1.5", "99999999999999999999", ""', []],
])('%s', (header, tags) => {
  expect(readEtags(header)).toEqual({ type: 'tags', tags });
});

test.each(['', ',', '7', '"7', '7"', '"7" "8"', 'w/"7"', '*, "7"', '"a b"', `"${'1'.repeat(9000)}"`])(
  'malformed: %s',
  (header) => {
    expect(readEtags(header)).toEqual({ type: 'malformed' });
  },
);

test('a star names whatever is there', () => {
  expect(readEtags(' * ')).toEqual({ type: 'any' });
});
