import type { Leaf } from '@metad/kv-store';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { type Form, renderConfirmation, renderProblem, renderRuleSets } from '../src/render/render.ts';
import { compareUtf8 } from '../src/render/utf8-order.ts';
import { renderWhole } from './whole-reads.ts';

const TEXT: Form = { format: 'text', pretty: false };
const JSON_FORM: Form = { format: 'json', pretty: false };
const PRETTY: Form = { format: 'json', pretty: true };
const YAML: Form = { format: 'yaml', pretty: false };

function tree(members: Record<string, string>, emptyTrees: string[] = []): Parameters<typeof renderWhole>[0] {
  const leaves = Object.entries(members).sort(([a], [b]) => compareUtf8(a, b));
  return { type: 'tree', leaves, emptyTrees };
}

test('text: sorted by the bytes of the whole path, nothing escaped', () => {
  const found = tree({ '/a/b': '1', '/a-b': 'x\ty\n', '/a0': '3', '/10': 'a', '/9': 'b' });
  expect(renderWhole(found, TEXT)).toBe('/10\ta\n/9\tb\n/a-b\tx\ty\n\n/a/b\t1\n/a0\t3\n');
  expect(renderWhole({ type: 'leaf', value: 'one' }, TEXT)).toBe('one');
  expect(renderWhole(tree({}), TEXT)).toBe('');
});

test('json: keys in the order of their bytes, never in that of numbers', () => {
  const found = tree({
    '/10': 'a',
    '/9': 'b',
    '/a/b': '1',
    '/a-b': '2',
    '/é': '3',
    '/\u{1f511}': '4',
    '/\uffee': '5',
  });
  expect(renderWhole(found, JSON_FORM)).toBe(
    '{"10":"a","9":"b","a":{"b":"1"},"a-b":"2","é":"3","￮":"5","🔑":"4"}',
  );
});

test('json: names of the language are ordinary keys', () => {
  const found = tree({ '/__proto__/x': '1', '/constructor': '2', '/toString': '3' });
  expect(renderWhole(found, JSON_FORM)).toBe('{"__proto__":{"x":"1"},"constructor":"2","toString":"3"}');
});

test('json: pretty indents by two spaces', () => {
  const found = tree({ '/name': 'x', '/net/gw': 'z', '/net/ip': 'y' }, ['/none']);
  const expected = { name: 'x', net: { gw: 'z', ip: 'y' }, none: {} };
  expect(renderWhole(found, PRETTY)).toBe(JSON.stringify(expected, null, 2));
  expect(renderWhole(tree({}), PRETTY)).toBe('{}');
});

test('groups without content show as empty trees', () => {
  const found = tree({ '/a/x': '1' }, ['/g', '/g/h', '/self']);
  expect(renderWhole(found, JSON_FORM)).toBe('{"a":{"x":"1"},"g":{"h":{}},"self":{}}');
  expect(renderWhole(found, YAML)).toBe('a:\n  x: "1"\ng:\n  h: {}\nself: {}\n');
});

describe('yaml', () => {
  test.each([
    '80',
    'true',
    'no',
    'Off',
    'y',
    'null',
    '~',
    '3.14',
    '',
    '0x1F',
    '1:30',
    '012',
    '1e3',
    '.5',
    '.nan',
    '.inf',
    '-',
    '- x',
    'a: b',
    'a #b',
    ' x ',
    '\t',
    'x\n',
    '\u0085',
    '\u2028',
    '"',
    "'",
    '@a',
    '`',
    '*a',
    '&a',
    '!a',
    '%a',
    '|',
    '>',
    '{',
    '[',
    '?',
    ':',
    '=',
    '<<',
    '2001-01-01',
    '\x7f',
    '\ufeff',
    '\ud83d\udeaa',
    'plain',
    '/a/path',
    'a.b-c_d',
  ])('keeps %j a string', (value) => {
    const text = renderWhole(tree({ [`/${value.replaceAll('/', '|')}`]: value }), YAML);
    for (const version of ['1.1', '1.2'] as const) {
      expect(parseYaml(text, { version })).toEqual({ [value.replaceAll('/', '|')]: value });
    }
  });

  test('reads back as it was, in old and new YAML, for any text', () => {
    const names = fc
      .string({ minLength: 1, maxLength: 6, unit: 'grapheme' })
      .filter((name) => !name.includes('/') && name !== '__proto__');
    const paths = fc.array(names, { minLength: 1, maxLength: 2 }).map((segments) => `/${segments.join('/')}`);
    const leaves = fc.uniqueArray(fc.tuple(paths, fc.string({ unit: 'binary' })), {
      selector: ([path]) => path.split('/')[1],
      maxLength: 5,
    });
    fc.assert(
      fc.property(leaves, (all) => {
        const sorted = all
          .map(([path, value]): Leaf => [path, value.toWellFormed()])
          .sort(([a], [b]) => compareUtf8(a, b));
        const found = { type: 'tree' as const, leaves: sorted, emptyTrees: [] };
        const expected = JSON.parse(renderWhole(found, JSON_FORM));
        for (const version of ['1.1', '1.2'] as const) {
          expect(parseYaml(renderWhole(found, YAML), { version, uniqueKeys: false })).toEqual(expected);
        }
      }),
    );
  });

  test('keeps keys that are too long to stand before a colon', () => {
    const name = 'x '.repeat(800);
    const text = renderWhole(tree({ [`/${name}/a`]: '1', '/b': '2', [`/c/${name}`]: '3' }), YAML);
    expect(parseYaml(text)).toEqual({ [name]: { a: '1' }, b: '2', c: { [name]: '3' } });
  });

  test('of a leaf is its scalar', () => {
    expect(renderWhole({ type: 'leaf', value: '80' }, YAML)).toBe('"80"\n');
    expect(renderWhole(tree({}), YAML)).toBe('{}\n');
  });
});

test('confirmations and errors in every form', () => {
  expect([TEXT, JSON_FORM, PRETTY, YAML].map((form) => renderConfirmation(form))).toEqual([
    'OK',
    '{"code":200,"type":"OK"}',
    '{\n  "code": 200,\n  "type": "OK"\n}',
    'code: 200\ntype: OK\n',
  ]);
  const problem = { status: 404, message: 'Not found' };
  expect([TEXT, JSON_FORM, YAML].map((form) => renderProblem(problem, form))).toEqual([
    'Not found\n',
    '{"code":404,"message":"Not found","type":"ERROR"}',
    'code: 404\nmessage: "Not found"\ntype: ERROR\n',
  ]);
});

test('rules in every form', () => {
  const ruleSets = [
    [
      '10.1.0.1',
      [
        { path: '/', mode: 0 },
        { path: '/a', mode: 1 },
      ],
    ],
    ['10.1.0.2', []],
  ] as const;
  const rulesAs = (form: Form): string => [...renderRuleSets(ruleSets, form)].join('');
  expect(rulesAs(TEXT)).toBe(
    '/10.1.0.1/0/mode\t0\n/10.1.0.1/0/path\t/\n/10.1.0.1/1/mode\t1\n/10.1.0.1/1/path\t/a\n',
  );
  const expected = {
    '10.1.0.1': [
      { path: '/', mode: 0 },
      { path: '/a', mode: 1 },
    ],
    '10.1.0.2': [],
  };
  expect(rulesAs(JSON_FORM)).toBe(JSON.stringify(expected));
  expect(rulesAs(PRETTY)).toBe(JSON.stringify(expected, null, 2));
  expect(parseYaml(rulesAs(YAML))).toEqual(expected);
  expect([TEXT, JSON_FORM, YAML].map((form) => [...renderRuleSets([], form)].join(''))).toEqual([
    '',
    '{}',
    '{}\n',
  ]);
});

test('the order of bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      const order = Buffer.compare(Buffer.from(a), Buffer.from(b));
      expect(Math.sign(compareUtf8(a, b))).toBe(order);
    }),
  );
});
