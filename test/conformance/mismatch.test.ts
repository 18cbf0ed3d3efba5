import { describe, expect, test } from 'vitest';
import type { Reply } from '../e2e/http.ts';
import type { Expectation } from './case-format.ts';
import { findMismatch } from './mismatch.ts';

// The runner must be able to fail: each kind of expectation, met and missed.

function reply(text: string, headers: Record<string, string> = {}, status = 200): Reply {
  const named = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  return { status, text, headers: named, headerNames: Object.keys(headers) };
}

const captured = new Map([
  ['v1', '9'],
  ['r1', 'abc'],
]);

const rows: readonly (readonly [what: string, expected: Expectation, met: Reply, missed: Reply])[] = [
  ['status', { status: 200 }, reply(''), reply('', {}, 500)],
  ['one of several statuses', { status: [404, 405] }, reply('', {}, 405), reply('')],
  ['text', { text: 'a\n' }, reply('a\n'), reply('a')],
  ['text that matches', { text: { matches: '^a' } }, reply('abc'), reply('cba')],
  ['header', { headers: { 'X-A': '1' } }, reply('', { 'x-a': '1' }), reply('')],
  [
    'header that matches',
    { headers: { 'X-A': { matches: '^\\d$' } } },
    reply('', { 'x-a': '1' }),
    reply('', { 'x-a': 'b' }),
  ],
  ['absent header', { headers: { 'X-A': { absent: true } } }, reply(''), reply('', { 'x-a': '1' })],
  ['spelling of a header', { headerNames: ['X-ID'] }, reply('', { 'X-ID': '1' }), reply('', { 'X-Id': '1' })],
  ['json', { json: { a: ['1', {}] } }, reply('{"a":["1",{}]}'), reply('{"a":["1",[]]}')],
  ['json with more than expected', { json: {} }, reply('{}'), reply('{"a":1}')],
  ['json with less than expected', { json: { a: '1' } }, reply('{"a":"1"}'), reply('{}')],
  ['json and no body', { json: {} }, reply('{}'), reply('')],
  [
    'a key that is __proto__',
    { json: JSON.parse('{"__proto__":"x"}') },
    reply('{"__proto__":"x"}'),
    reply('{}'),
  ],
  [
    'a string that matches',
    { json: { m: { $matches: '^in' } } },
    reply('{"m":"invalid"}'),
    reply('{"m":"other"}'),
  ],
  [
    'many members',
    { json: { $many: { count: 2, key: 'k#', value: 'v#' } } },
    reply('{"k0":"v0","k1":"v1"}'),
    reply('{"k0":"v0"}'),
  ],
  ['yaml, as data', { yaml: { a: '80' } }, reply('a: "80"\n'), reply('a: 80\n')],
  [
    'the same version',
    { version: { equals: 'v1' } },
    reply('', { 'X-Metad-Version': '9' }),
    reply('', { 'X-Metad-Version': '10' }),
  ],
  [
    'a later version',
    { version: { greaterThan: 'v1' } },
    reply('', { 'X-Metad-Version': '10' }),
    reply('', { 'X-Metad-Version': '9' }),
  ],
  ['no version', { version: { atLeast: 'v1' } }, reply('', { 'X-Metad-Version': '9' }), reply('')],
  [
    'another request id',
    { requestId: { differsFrom: 'r1' } },
    reply('', { 'X-Metad-RequestID': 'b' }),
    reply('', { 'X-Metad-RequestID': 'abc' }),
  ],
];

describe.each(rows)('%s', (_what, expected, met, missed) => {
  test('is met', () => {
    expect(findMismatch(met, expected, captured)).toBeNull();
  });

  test('is missed', () => {
    expect(findMismatch(missed, expected, captured)).toEqual(expect.any(String));
  });
});
