import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { BoundedCache } from '../src/bounded-cache.ts';
import { createClientIp } from '../src/http/client-ip.ts';
import { canonicalAddress } from '../src/http/ip-address.ts';

describe('an address as it is stored', () => {
  test.each([
    ['10.1.0.1', '10.1.0.1'],
    ['2001:DB8::7', '2001:db8::7'],
    ['2001:db8:0:0:0:0:0:7', '2001:db8::7'],
    ['::1', '::1'],
    ['::ffff:10.1.0.1', '10.1.0.1'],
    ['::FFFF:0a01:1', '10.1.0.1'],
  ])('%s is %s', (text, canonical) => expect(canonicalAddress(text)).toBe(canonical));

  test.each([
    '010.1.0.1',
    '10.1.0.1/24',
    '10.1.0.1:80',
    ' 10.1.0.1',
    '10.1.0.1 ',
    '10.1.0',
    '167837697',
    '0x0a010001',
    'fe80::1%eth0',
    '[::1]',
    '::1/64',
    '2001:db8::7::1',
    'host-a',
    '',
    '__proto__',
  ])('"%s" is none', (text) => expect(canonicalAddress(text)).toBeNull());
});

describe('the client without X-Forwarded-For', () => {
  const clientIp = createClientIp({ xff: false, trustedProxies: [] });
  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['garbage', null],
    [undefined, null],
  ])('%s is %s', (peer, client) => {
    expect(clientIp(peer, '10.9.9.9')).toBe(client);
    expect(clientIp(peer, '10.9.9.9')).toBe(client);
  });
});

describe('the client behind any proxy', () => {
  const clientIp = createClientIp({ xff: true, trustedProxies: [] });
  test.each([
    [undefined, '127.0.0.1'],
    ['', '127.0.0.1'],
    [' , ', '127.0.0.1'],
    ['10.1.0.1', '10.1.0.1'],
    ['10.1.0.1, 10.1.0.2', '10.1.0.2'],
    ['203.0.113.9,10.1.0.1,', '10.1.0.1'],
    ['10.1.0.1:4711', '10.1.0.1'],
    ['[2001:db8::7]:4711', '2001:db8::7'],
    ['[2001:db8::7]', '2001:db8::7'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:10.1.0.1', '10.1.0.1'],
    ['10.1.0.1, garbage', null],
    ['unknown', null],
    ['10.1.0.1; drop', null],
    ['010.1.0.1', null],
  ])('"%s" is %s', (header, client) => expect(clientIp('127.0.0.1', header)).toBe(client));
});

describe('the client behind trusted proxies', () => {
  const clientIp = createClientIp({
    xff: true,
    trustedProxies: ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'],
  });
  test.each([
    ['10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['10.0.0.1', '198.51.100.1, 203.0.113.9, 10.2.2.2, 192.0.2.1', '203.0.113.9'],
    ['2001:db8::1', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['10.0.0.1', '10.3.3.3, 10.2.2.2', '10.3.3.3'],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', 'garbage, 10.2.2.2', null],
    // A stranger may not say who it is.
    ['203.0.113.1', '10.1.0.1', '203.0.113.1'],
    ['2001:db9::1', '10.1.0.1', '2001:db9::1'],
    [undefined, '10.1.0.1', null],
  ])('%s says "%s": %s', (peer, header, client) => expect(clientIp(peer, header)).toBe(client));

  test.each(['10.0.0.0/33', '10.0.0.0/x', '10.0.0.0/8/8', 'proxy.example', '::/129', ''])(
    '%s is refused',
    (prefix) => {
      expect(() => createClientIp({ xff: true, trustedProxies: [prefix] })).toThrow(RangeError);
    },
  );
});

test('a header that is long is read, but not remembered', () => {
  const clientIp = createClientIp({ xff: true, trustedProxies: [] });
  const kept = vi.spyOn(BoundedCache.prototype, 'set');
  onTestFinished(() => kept.mockRestore());
  const headerOf = (length: number): string => '10.1.0.7'.padStart(length);
  const keys = (): unknown[] => kept.mock.calls.map(([key]) => key).filter((key) => key !== '127.0.0.1');
  expect(clientIp('127.0.0.1', headerOf(256))).toBe('10.1.0.7');
  expect(clientIp('127.0.0.1', headerOf(257))).toBe('10.1.0.7');
  expect(clientIp('127.0.0.1', headerOf(16_384))).toBe('10.1.0.7');
  expect(keys()).toEqual([headerOf(256)]);
});
