import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TestNode } from './test-node.ts';

const text = fc.string({ unit: 'grapheme-ascii', maxLength: 12 });
const number = fc.constantFrom(
  '0',
  '1',
  '2',
  '-1',
  '1e3',
  '9007199254740993',
  '99999999999999999999',
  'x',
  '',
);
const path = fc.constantFrom(
  '',
  '/',
  '/a',
  '/a/b',
  '/a/../b',
  '/a/%2e%2e',
  '/%zz',
  '/10.1.0.1',
  '/10.1.0.1/a',
  '/é\u0000',
);
const FRESHNESS = ['pretty', 'consistency', 'min_version'];
const RESOURCES: readonly (readonly [path: string, parameters: readonly string[]])[] = [
  ['/v1/data', ['limit', 'cursor', 'version', ...FRESHNESS]],
  ['/v1/mapping', ['limit', 'cursor', 'version', ...FRESHNESS]],
  ['/v1/rule', ['hosts', ...FRESHNESS]],
  ['/v1/history', ['limit', 'before', 'tree', ...FRESHNESS]],
  ['/v1/diff', ['from', 'to', 'path', 'tree', 'limit', ...FRESHNESS]],
  ['/v1/explain', ['ip', 'path', 'limit', ...FRESHNESS]],
  ['/v1/preview', ['ip', ...FRESHNESS]],
  ['/v1/batch', ['limit']],
];
const value = fc.oneof(
  text,
  number,
  path,
  fc.constantFrom('data', 'mapping', 'rule', '10.1.0.1', '::1', 'L2E', 'local'),
);
/** A resource with a query of parameters that mostly are its own. */
const asked = fc.constantFrom(...RESOURCES).chain(([prefix, own]) =>
  fc.tuple(
    fc.constant(prefix),
    fc
      .array(fc.tuple(fc.constantFrom(...own, ...own, 'subs'), value), { maxLength: 4 })
      .map((all) => all.map(([name, text]) => `${name}=${text.replace(/[#\s]/g, '')}`).join('&')),
  ),
);
const headerValue = fc.oneof(
  text,
  fc.constantFrom(
    '*',
    '"1"',
    '"1.json"',
    'W/"0"',
    '"',
    '"1.json","',
    ',',
    '"99999999999999999999"',
    'x'.repeat(300),
  ),
);
const headers = fc
  .array(
    fc.tuple(
      fc.constantFrom(
        'if-match',
        'if-none-match',
        'idempotency-key',
        'x-metad-author',
        'x-metad-version',
        'accept',
      ),
      headerValue,
    ),
    { maxLength: 3 },
  )
  .map((all) => Object.fromEntries(all));

/** Something like a batch, with anything in the wrong place. */
const scalar = fc.oneof(
  text,
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom('/v1/data/a', '/a', '\ud800'),
);
const item = fc.dictionary(
  fc.constantFrom(
    'put',
    'post',
    'delete',
    'value',
    'subs',
    'hosts',
    'path',
    'tree',
    'version',
    'absent',
    'equals',
    '__proto__',
  ),
  fc.oneof(scalar, fc.array(scalar, { maxLength: 2 }), fc.dictionary(text, scalar, { maxKeys: 2 })),
  { maxKeys: 4 },
);
const good = fc.constantFrom(
  { put: '/v1/data/a', value: '1' },
  { post: '/v1/data/a/b', value: { c: [1, 2] } },
  { delete: '/v1/data/a' },
  { put: '/v1/rule', value: { '10.1.0.1': [] } },
);
const list = fc.oneof(
  fc.array(fc.oneof(good, item, scalar), { maxLength: 3 }),
  fc.array(good, { minLength: 1, maxLength: 3 }),
);
const batch = fc.oneof(
  fc.record({ if: list, do: list }, { requiredKeys: [] }),
  fc.record({ do: fc.array(good, { minLength: 1, maxLength: 3 }) }),
  fc.anything({ withNullPrototype: false }),
);

const STATUSES = [200, 304, 400, 404, 405, 410, 412, 413, 414, 422, 503];

test('whatever is asked or written, it is answered, and nothing breaks', async () => {
  const errors: unknown[] = [];
  const node = new TestNode({ catchUpTimeoutMs: 0 }, { onError: (error) => errors.push(error) });
  const ticking = setInterval(() => node.clock.advance(1000), 1);
  const seen = new Set<number>();
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE'),
        asked,
        path,
        headers,
        batch,
        async (method, [prefix, options], below, sent, body) => {
          const hasBody = method === 'POST' || method === 'PUT';
          const target = `${prefix}${below}${hasBody || method === 'DELETE' ? '' : `?${options}`}`;
          const rawBody = JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? 1 : value)) ?? '';
          const response = await node.manage(method, target, undefined, {
            headers: sent,
            ...(hasBody ? { rawBody } : {}),
          });
          seen.add(response.status);
          expect([target, STATUSES.includes(response.status)]).toEqual([target, true]);
          const showsState = [200, 304, 410, 412, 422].includes(response.status);
          if (showsState) expect(response.headers.get('x-metad-version')).toMatch(/^\d+$/);
          await response.text();
        },
      ),
      { numRuns: 3000 },
    );
  } finally {
    clearInterval(ticking);
  }
  expect(errors).toEqual([]);
  expect([...seen].sort()).toEqual(expect.arrayContaining([200, 400, 404, 405, 412]));
});
