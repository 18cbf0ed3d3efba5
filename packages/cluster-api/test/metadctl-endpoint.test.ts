import { expect, test } from 'vitest';
import { parseEndpoint } from '../src/metadctl/endpoint.ts';

test.each([
  ['10.0.0.1:21001', 'http://10.0.0.1:21001'],
  ['node-1.internal:21001', 'http://node-1.internal:21001'],
  ['[::1]:21001', 'http://[::1]:21001'],
  ['http://10.0.0.1:21001', 'http://10.0.0.1:21001'],
  ['http://10.0.0.1:21001/', 'http://10.0.0.1:21001'],
  ['https://metad.example.org:443', 'https://metad.example.org'],
])('%s is an endpoint', (text, origin) => {
  expect(parseEndpoint(text)?.origin).toBe(origin);
});

test.each([
  'ftp://10.0.0.1:21001',
  'http://10.0.0.1:21001/metrics',
  '10.0.0.1:21001/metrics',
  'http://10.0.0.1:21001?x=y',
  'http://10.0.0.1:21001#x',
  'http://user:secret@10.0.0.1:21001',
  'http://10.0.0.1',
  'http://10.0.0.1:0',
  'http://10.0.0.1:70000',
  '10.0.0.1',
  ':21001',
  'two words:21001',
  'http://',
  '',
])('"%s" is none', (text) => {
  expect(parseEndpoint(text)).toBeNull();
});
