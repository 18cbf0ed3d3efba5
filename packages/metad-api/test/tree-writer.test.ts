import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import type { Tree } from '../src/render/found.ts';
import { type Form, renderFound } from '../src/render/render.ts';
import { compareUtf8 } from '../src/render/utf8-order.ts';
import { renderWhole } from './whole-reads.ts';

const TEXT: Form = { format: 'text', pretty: false };
const COMPACT: Form = { format: 'json', pretty: false };
const PRETTY: Form = { format: 'json', pretty: true };
const YAML: Form = { format: 'yaml', pretty: false };

/** Names whose order is another one than that of the paths, or of what JavaScript makes of them. */
const name = fc.constantFrom(
  'a',
  'a-b',
  'a.b',
  'a b',
  'a0',
  '10',
  '9',
  'é',
  '\u{1f511}',
  '\uffee',
  '__proto__',
);
const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => `/${names.join('/')}`);
const tree: fc.Arbitrary<Tree> = fc
  .record({
    leaves: fc.uniqueArray(fc.tuple(path, fc.string({ unit: 'grapheme' })), {
      selector: ([at]) => at,
      maxLength: 60,
    }),
    empty: fc.uniqueArray(path, { maxLength: 3 }),
  })
  .map(({ leaves, empty }) => {
    const paths = [...leaves.map(([at]) => at), ...empty];
    const isBranch = (at: string) => paths.some((other) => other.startsWith(`${at}/`));
    const shown = leaves.filter(([at]) => !isBranch(at) && !empty.includes(at));
    return {
      type: 'tree',
      leaves: shown
        .map(([at, value]) => [at, value.toWellFormed()] as const)
        .sort(([a], [b]) => compareUtf8(a, b)),
      emptyTrees: empty.sort(compareUtf8),
    };
  });

type Model = Map<string, Model | string>;

function modelOf({ leaves, emptyTrees }: Tree): Model {
  const root: Model = new Map();
  for (const [at, value] of [...leaves, ...emptyTrees.map((empty) => [empty, null] as const)]) {
    let object = root;
    const names = at.slice(1).split('/');
    for (const [i, one] of names.entries()) {
      if (i === names.length - 1 && value !== null) object.set(one, value);
      else {
        const next = object.get(one);
        const branch: Model = next instanceof Map ? next : new Map();
        object.set(one, branch);
        object = branch;
      }
    }
  }
  return root;
}

/** By the bytes of the names, level by level. */
function write(model: Model | string, space: string): string {
  if (typeof model === 'string') return JSON.stringify(model);
  const [line, colon] = space === '' ? ['', ':'] : [space, ': '];
  const members = [...model]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(
      ([key, member]) =>
        `${line}${line === '' ? '' : '  '}${JSON.stringify(key)}${colon}${write(member, space === '' ? '' : `${space}  `)}`,
    );
  return members.length === 0 ? '{}' : `{${members.join(',')}${line}}`;
}

test('json: each object has its members in the order of their names', () => {
  fc.assert(
    fc.property(tree, (found) => {
      expect(renderWhole(found, COMPACT)).toBe(write(modelOf(found), ''));
      expect(renderWhole(found, PRETTY)).toBe(write(modelOf(found), '\n'));
    }),
    { numRuns: 500 },
  );
});

test('yaml: the same document, in the same order', () => {
  fc.assert(
    fc.property(tree, (found) => {
      const read = parseYaml(renderWhole(found, YAML), { mapAsMap: true });
      expect(JSON.stringify(plain(read))).toBe(JSON.stringify(plain(modelOf(found), true)));
    }),
    { numRuns: 300 },
  );
});

/** Maps as lists of their members. */
function plain(model: unknown, sorted = false): unknown {
  if (!(model instanceof Map)) return model;
  const members = [...model].map(([key, member]) => [key, plain(member, sorted)] as const);
  return sorted ? members.sort(([a], [b]) => compareUtf8(a, b)) : members;
}

test('a large tree comes in pieces, none of which is much larger than a step', () => {
  const leaves = Array.from({ length: 5000 }, (_, i) => [`/a/${i % 10}-x/${10_000 + i}`, 'x'] as const);
  const found: Tree = { type: 'tree', leaves: leaves.sort(([a], [b]) => compareUtf8(a, b)), emptyTrees: [] };
  for (const form of [TEXT, COMPACT, PRETTY, YAML]) {
    const pieces = [...renderFound(found, form)];
    expect(pieces.length).toBeGreaterThanOrEqual(Math.floor(5000 / 512));
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(64 * 1024);
  }
});
