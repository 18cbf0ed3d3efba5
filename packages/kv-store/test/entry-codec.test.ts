import { nodeId } from '@metad/raft-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeEntry,
  decodeMembership,
  EntryFormatError,
  type EntryRow,
  encodeEntry,
  encodeMembership,
} from '../src/entry-codec.ts';
import { blank, entry } from './fixtures.ts';

const membership = {
  configs: [[nodeId(1), nodeId(10)], [nodeId(1)]],
  nodes: new Map([
    [nodeId(10), { addr: '127.0.0.1:21010', instance: 'ten' }],
    [nodeId(1), { addr: '127.0.0.1:21001' }],
  ]),
};

test('entries of every type come back equal from their rows', () => {
  const entries = [
    blank(1),
    entry(2, { type: 'command', data: Buffer.from([1, 2, 3]) }, 7),
    entry(3, { type: 'command', data: Buffer.alloc(0) }, 7),
    entry(4, { type: 'membership', membership }, 8),
  ];
  for (const one of entries) expect(decodeEntry(encodeEntry(one))).toEqual(one);
});

test('any change of a row is noticed', () => {
  const row = encodeEntry(entry(5, { type: 'command', data: Buffer.from('payload') }, 3));
  fc.assert(
    fc.property(fc.nat(3), fc.integer({ min: 1, max: 5 }), (column, by) => {
      const changed = row.map((value, at) => (at === column ? Number(value) + by : value));
      expect(() => decodeEntry(changed as unknown as EntryRow)).toThrow(EntryFormatError);
    }),
  );
  const [idx, term, leader, type, , checksum] = row;
  const flipped = [idx, term, leader, type, Buffer.from('pbyload'), checksum] as const;
  expect(() => decodeEntry(flipped)).toThrow(EntryFormatError);
});

test('a membership is plain data with its nodes in order, and comes back equal', () => {
  const plain = encodeMembership(membership);
  expect(JSON.stringify(plain)).toBe(
    '{"configs":[[1,10],[1]],"nodes":{"1":{"addr":"127.0.0.1:21001"},"10":{"addr":"127.0.0.1:21010","instance":"ten"}}}',
  );
  expect(decodeMembership(JSON.parse(JSON.stringify(plain)))).toEqual(membership);
  expect(decodeMembership({ configs: [], nodes: {} })).toEqual({ configs: [], nodes: new Map() });
});

test.each([
  ['null', null],
  ['a list', []],
  ['no nodes', { configs: [] }],
  ['nodes as a list', { configs: [], nodes: [] }],
  ['three configs', { configs: [[1], [1], [1]], nodes: { 1: { addr: 'a' } } }],
  ['a config that is no list', { configs: [1], nodes: { 1: { addr: 'a' } } }],
  ['a voter without a record', { configs: [[1, 2]], nodes: { 1: { addr: 'a' } } }],
  ['a voter twice', { configs: [[1, 1]], nodes: { 1: { addr: 'a' } } }],
  ['node 0', { configs: [], nodes: { 0: { addr: 'a' } } }],
  ['a node by another spelling', { configs: [], nodes: { '01': { addr: 'a' } } }],
  ['a node by name', { configs: [], nodes: { one: { addr: 'a' } } }],
  ['a node without an address', { configs: [], nodes: { 1: {} } }],
  ['an instance that is no string', { configs: [], nodes: { 1: { addr: 'a', instance: 5 } } }],
])('refuses a membership that is or has %s', (_, value) => {
  expect(() => decodeMembership(value)).toThrow(EntryFormatError);
});
