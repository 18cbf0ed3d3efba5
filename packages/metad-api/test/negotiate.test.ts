import { expect, test } from 'vitest';
import { negotiate } from '../src/http/negotiate.ts';

test.each([
  [undefined, 'text'],
  ['', 'text'],
  ['*/*', 'text'],
  ['text/*', 'text'],
  ['application/*', 'json'],
  ['application/json', 'json'],
  ['APPLICATION/JSON', 'json'],
  ['application/json; charset=utf-8', 'json'],
  ['application/json;charset=utf-8;q=0.9, text/plain;q=0.1', 'json'],
  ['application/yaml', 'yaml'],
  ['application/x-yaml', 'yaml'],
  ['text/yaml', 'yaml'],
  ['text/x-yaml', 'yaml'],
  ['application/xml', 'text'],
  ['application/vnd.acme+json', 'text'],
  ['application/json;q=0.5, application/yaml;q=0.9', 'yaml'],
  ['application/yaml, application/json', 'json'],
  ['application/json, text/plain', 'text'],
  ['application/json, */*', 'json'],
  ['*/*, text/x-yaml', 'yaml'],
  ['application/*, text/x-yaml', 'yaml'],
  ['application/json;q=0', 'text'],
  ['text/plain;q=0, application/json', 'json'],
  ['text/plain;q=0, */*', 'json'],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text'],
  ['application/json;q=2', 'text'],
  ['application/json;q=x, text/yaml;q=0.1', 'yaml'],
  [';;,,/,application/json', 'json'],
  [`${'a/b,'.repeat(100_000)}application/json`, 'text'],
])('%.60s', (accept, format) => {
  expect(negotiate(accept)).toBe(format);
  // The second time it is remembered.
  expect(negotiate(accept)).toBe(format);
});
