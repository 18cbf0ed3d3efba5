import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TestNode, versionOf } from './test-node.ts';

const piece = fc.oneof(
  fc.constantFrom(
    '/',
    '//',
    '/a',
    '/self',
    '/..',
    '/.',
    '%2F',
    '%2e%2e',
    '%',
    '%zz',
    '%00',
    '%ff',
    '%ed%a0%80',
    '?',
    '&',
    '=',
    '#',
    '*',
    '+',
    '\\',
    ':',
    '@',
  ),
  fc.constantFrom(
    'wait=true',
    'timeout=0',
    'timeout=-1',
    'prev_version=1',
    'min_version=9',
    'consistency=x',
    'pretty',
    'subs=',
    'hosts=,',
    'subs=a/b',
  ),
  fc.string({ unit: 'grapheme-ascii', maxLength: 5 }),
);
const target = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND');
const text = fc.string({ unit: 'grapheme-ascii', maxLength: 40 });
const header = fc.oneof(
  text,
  fc.constantFrom(
    '*/*',
    'application/json;q=',
    ',;,',
    'text/*;q=0',
    '1',
    '0',
    '10.1.0.1',
    '::1',
    '[::1]:x',
    '%',
  ),
);
const resource = fc.constantFrom(
  '',
  '/v1/data',
  '/v1/mapping',
  '/v1/mapping/10.1.0.1',
  '/v1/rule',
  '/health',
);
const json = fc.oneof(
  fc.json({ maxDepth: 4 }),
  text,
  fc.constantFrom(
    '{"10.1.0.1":',
    '{"10.1.0.1":[{"path":"/","mode":1}]}',
    '{"10.1.0.1":{"a":"/a"}}',
    '[[[[',
    '"\\ud800"',
    '{"__proto__":{"a":1}}',
    '1e999',
    '\ufeff{}',
  ),
);

const STATUSES = [200, 400, 401, 403, 404, 405, 413, 414, 503];

test('nothing that is sent is answered with anything but an answer', async () => {
  const errors: unknown[] = [];
  const node = new TestNode(
    { xff: true, maxValueBytes: 20, maxBodyBytes: 60, catchUpTimeoutMs: 0, waitTimeoutSeconds: 0 },
    { onError: (error) => errors.push(error) },
  );
  const ticking = setInterval(() => node.clock.advance(1000), 1);
  try {
    await fc.assert(
      fc.asyncProperty(method, target, header, header, async (verb, path, accept, value) => {
        const headers = { accept, 'x-forwarded-for': value, 'x-metad-version': value };
        const response = await node.metadata(path, { method: verb, headers });
        expect(STATUSES).toContain(response.status);
        expect(versionOf(response)).toBeGreaterThanOrEqual(0);
        await response.text();
      }),
      { numRuns: 1500 },
    );
    await fc.assert(
      fc.asyncProperty(method, resource, target, header, json, async (verb, prefix, path, value, body) => {
        const hasBody = verb !== 'GET' && verb !== 'HEAD';
        const origin = value.length % 5 === 0 ? { origin: value } : {};
        const headers = { accept: value, host: value, 'x-metad-version': value, ...origin };
        const sent = { headers, ...(hasBody ? { rawBody: body } : {}) };
        const response = await node.manage(verb, prefix + path, undefined, sent);
        expect(STATUSES).toContain(response.status);
        await response.text();
      }),
      { numRuns: 1500 },
    );
  } finally {
    clearInterval(ticking);
  }
  expect(errors).toEqual([]);
  expect(node.apps.waiters()).toBe(0);
});
