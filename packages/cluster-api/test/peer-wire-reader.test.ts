import fc from 'fast-check';
import { pack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { WireError, WireReader } from '../src/peers/wire-reader.ts';

function reading(value: unknown): WireReader {
  return new WireReader(pack(value));
}

test('every safe non-negative integer is read as msgpackr writes it', () => {
  fc.assert(fc.property(fc.maxSafeNat(), (value) => reading(value).integer() === value));
  for (const value of [
    0,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2 ** 32 - 1,
    2 ** 32,
    Number.MAX_SAFE_INTEGER,
  ]) {
    expect(reading(value).integer()).toBe(value);
  }
});

test('strings and bytes of every length class are read as msgpackr writes them', () => {
  for (const length of [0, 1, 31, 32, 255, 256, 65_535, 65_536]) {
    expect(reading('ä'.repeat(length)).string()).toBe('ä'.repeat(length));
    expect(reading(Buffer.alloc(length, 5)).binary()).toEqual(new Uint8Array(length).fill(5));
  }
});

test('arrays of every length class are read as msgpackr writes them', () => {
  for (const length of [0, 15, 16, 65_535, 65_536]) {
    const reader = reading(new Array(length).fill(1));
    expect(reader.array()).toBe(length);
    for (let i = 0; i < length; i += 1) reader.integer();
    reader.end();
  }
});

describe('bytes that lie are refused', () => {
  test.each<readonly [string, readonly number[], (reader: WireReader) => unknown]>([
    ['an array longer than its frame', [0xdd, 0xff, 0xff, 0xff, 0xff, 1], (r) => r.array()],
    ['a map longer than its frame', [0xdf, 0xff, 0xff, 0xff, 0xff, 1], (r) => r.map()],
    ['a string longer than its frame', [0xdb, 0xff, 0xff, 0xff, 0xff, 1], (r) => r.string()],
    ['bytes longer than their frame', [0xc6, 0xff, 0xff, 0xff, 0xff, 1], (r) => r.binary()],
    ['an integer cut short', [0xce, 1, 2], (r) => r.integer()],
    ['nothing at all', [], (r) => r.integer()],
    ['a string that is not UTF-8', [0xa2, 0xc3, 0x28], (r) => r.string()],
    ['something behind the end', [1], (r) => r.end()],
  ])('%s', (_, bytes, read) => {
    expect(() => read(new WireReader(Uint8Array.from(bytes)))).toThrow(WireError);
  });
});
