import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainDecimal } from '../src/manage/decimal.ts';
import { flatten } from '../src/manage/flatten.ts';
import { parseJsonBody } from '../src/manage/json-body.ts';

const LIMITS = { maxPathDepth: 64, maxPathBytes: 2048, maxValueBytes: 1024, maxLeaves: 1000 };

function flattenText(text: string, base = '/c'): unknown {
  const parsed = parseJsonBody(text);
  if (parsed.type === 'problem') return parsed.problem;
  const leaves = flatten(base, parsed.value, LIMITS);
  return leaves.type === 'ok' ? Object.fromEntries(leaves.value) : leaves.problem;
}

describe('a JSON body becomes leaves', () => {
  test.each([
    [
      '{"i":7,"neg":-3,"f":1.5,"t":true,"n":null,"s":"x"}',
      { i: '7', neg: '-3', f: '1.5', t: 'true', n: '', s: 'x' },
    ],
    ['["a",null,{},"b"]', { 0: 'a', 1: '', 3: 'b' }],
    ['{"o":{},"a":[],"deep":{"er":{}}}', {}],
    [
      '{"a/b/c":"1","/lead":"3","trail/":"4","x":{"y//z":"5"}}',
      { 'a/b/c': '1', lead: '3', trail: '4', 'x/y/z': '5' },
    ],
    ['{"./a":"1","x/../b":"2","d":{"../e":"3"}}', { a: '1', b: '2', e: '3' }],
    ['{"":"skipped","a":{"":"named"}}', { a: 'named' }],
    ['{"k":"first","k":"second"}', { k: 'second' }],
    ['{"a":{"x":"1"},"a":{"y":"2"}}', { 'a/y': '2' }],
    ['{"__proto__":"1","constructor":{"prototype":"2"}}', { __proto__: '1', 'constructor/prototype': '2' }],
    ['{"\\ud800":"\\udc00x"}', { '\ufffd': '\ufffdx' }],
    ['{" ":" "}', { ' ': ' ' }],
  ])('%s', (text, expected) => {
    const under = Object.entries(expected).map(([name, value]) => [`/c/${name}`, value]);
    const proto = text.includes('__proto__') ? [['/c/__proto__', '1']] : [];
    expect(flattenText(text)).toEqual(Object.fromEntries([...under, ...proto]));
  });

  test.each([
    ['8080', '8080'],
    ['true', 'true'],
    ['null', ''],
    ['"plain"', 'plain'],
  ])('the scalar %s', (text, value) => {
    expect(flattenText(text)).toEqual({ '/c': value });
  });
});

describe('what is refused', () => {
  test.each([
    ['', /^invalid json/],
    ['{"k": ', /^invalid json/],
    ['{"a":"1"} trailing', /^invalid json/],
    ['{"a":"1"}{"b":"2"}', /^invalid json/],
    ["{'a':'2'}", /^invalid json/],
    ['{"a":"2",}', /^invalid json/],
    ['{"a":1e999}', /^invalid json/],
    ['{"../../x":"1"}', /out of the place/],
    ['{"a":{"../../x":"1"}}', /out of the place/],
    [`{"${'a/'.repeat(70)}b":"1"}`, /deeper than 64/],
    [`{"${'x'.repeat(2050)}":"1"}`, /longer than 2048 bytes/],
    [`${'{"":'.repeat(100)}1${'}'.repeat(100)}`, null],
    [`{"a":${'['.repeat(300)}${']'.repeat(300)}}`, /nested deeper/],
    [`{"a":${'[0,'.repeat(70)}0${']'.repeat(70)}}`, /deeper than 64 levels/],
  ])('%.60s', (text, message) => {
    if (message === null) expect(flattenText(text)).toEqual({});
    else expect(flattenText(text)).toEqual({ status: 400, message: expect.stringMatching(message) });
  });

  test('a value beyond the limit is 413, in bytes and not in characters', () => {
    expect(flattenText(JSON.stringify({ a: 'é'.repeat(512) }))).toEqual({ '/c/a': 'é'.repeat(512) });
    expect(flattenText(JSON.stringify({ a: 'é'.repeat(513) }))).toMatchObject({ status: 413 });
  });

  test('more values than one write may hold are 413; the same one again is one', () => {
    const values = (count: number) => JSON.stringify(Array.from({ length: count }, () => 'x'));
    expect(flattenText(values(1000))).not.toHaveProperty('status');
    expect(flattenText(values(1001))).toEqual({ status: 413, message: expect.stringContaining('1000') });
  });

  test('brackets within a string are no nesting', () => {
    expect(flattenText(JSON.stringify({ a: `"\\${'['.repeat(400)}` }))).toEqual({
      '/c/a': `"\\${'['.repeat(400)}`,
    });
  });

  test('the root takes no scalar, however it is written', () => {
    for (const text of ['"x"', '7', '{"a":{"..":"x"}}']) {
      expect(flattenText(text, '/')).toMatchObject({ status: 400, message: expect.stringContaining('root') });
    }
  });

  test('a body of millions of brackets is refused without recursing into it', () => {
    expect(flattenText(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`)).toMatchObject({ status: 400 });
  });
});

describe('numbers', () => {
  test.each([
    [1e21, '1000000000000000000000'],
    [1e-7, '0.0000001'],
    [1.5e-10, '0.00000000015'],
    [-1.25e22, '-12500000000000000000000'],
    [-0, '-0'],
    [0, '0'],
    [Number('9007199254740993'), '9007199254740992'],
    [Number('12345678901234567890'), '12345678901234567000'],
    [Number.MIN_VALUE, `0.${'0'.repeat(323)}5`],
  ])('%d is %s', (value, text) => expect(plainDecimal(value)).toBe(text));

  test('any double reads back as itself, without an exponent', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = plainDecimal(value);
        expect(text).toMatch(/^-?\d+(\.\d+)?$/);
        expect(Object.is(Number(text), value)).toBe(true);
      }),
    );
  });
});

test('leaves put together again are the document with its scalars as strings', () => {
  const name = fc
    .string({ minLength: 1, maxLength: 3, unit: 'binary' })
    .filter((text) => !/^\.{1,2}$|\//.test(text));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.dictionary(name, tie('tree'), { minKeys: 1, maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(name, tree, { minKeys: 1 }), (document) => {
      const leaves = flatten('/c', JSON.parse(JSON.stringify(document)), LIMITS);
      const expanded: Record<string, unknown> = Object.create(null);
      for (const [path, value] of leaves.type === 'ok' ? leaves.value : [])
        put(expanded, path.split('/').slice(2), value);
      expect(expanded).toEqual(wellFormed(document));
    }),
  );
});

function put(into: Record<string, unknown>, [name = '', ...rest]: string[], value: string): void {
  if (rest.length === 0) {
    into[name] = value;
    return;
  }
  const below = into[name];
  const branch: Record<string, unknown> = typeof below === 'object' && below !== null ? { ...below } : {};
  Object.setPrototypeOf(branch, null);
  put(branch, rest, value);
  into[name] = branch;
}

function wellFormed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return String(value).toWellFormed();
  const object: Record<string, unknown> = Object.create(null);
  for (const [name, member] of Object.entries(value)) object[name.toWellFormed()] = wellFormed(member);
  return object;
}
