import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { expect, test } from 'vitest';
import { type Command, writeOf } from '../src/command.ts';
import { decodeCommand, encodeCommand, stampTime } from '../src/command-codec.ts';
import { CommandFormatError } from '../src/command-fields.ts';
import { anyCommand, anyWrite } from './fixtures.ts';

const packr = new Packr({ useRecords: false });

/** A command's bytes with any body. */
function withBody(body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([1]), body]);
}

/** A write's bytes with any body. */
function withWriteBody(body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([2]), Buffer.alloc(8), body]);
}

const anyLogCommand = fc.oneof<fc.Arbitrary<Command>[]>(anyCommand, anyWrite);

test('every command comes back equal, and equal commands have equal bytes', () => {
  fc.assert(
    fc.property(anyLogCommand, (command) => {
      const bytes = encodeCommand(command);
      expect(decodeCommand(bytes)).toEqual(command);
      expect(encodeCommand(structuredClone(command))).toEqual(bytes);
    }),
  );
});

test('long and large commands come back equal', () => {
  const leaves = Array.from({ length: 70_000 }, (_, i): [string, string] => [`/n/${i}`, `é${i}`]);
  leaves.push([`/${'long'.repeat(500)}`, '𐐀'.repeat(100_000)]);
  const command: Command = { type: 'replace', tree: 'mapping', path: '/', leaves };
  expect(decodeCommand(encodeCommand(command))).toEqual(command);
});

test('random bytes are refused, or are a command', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(1, 2), (body, format) => {
      try {
        decodeCommand(format === 1 ? withBody(body) : withWriteBody(body));
      } catch (error) {
        expect(error).toBeInstanceOf(CommandFormatError);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a command with a byte changed, cut or added is refused, or is another whole command', () => {
  const damage = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.boolean() });
  fc.assert(
    fc.property(anyLogCommand, damage, (command, { at, byte, cut }) => {
      const bytes = Buffer.from(encodeCommand(command));
      const damaged = cut ? bytes.subarray(0, at % bytes.length) : Buffer.from(bytes);
      if (!cut) damaged[at % bytes.length] = byte;
      try {
        const read = decodeCommand(damaged);
        expect(decodeCommand(encodeCommand(read))).toEqual(read);
      } catch (error) {
        expect(error).toBeInstanceOf(CommandFormatError);
      }
      expect(() => decodeCommand(Buffer.concat([bytes, Buffer.from([0])]))).toThrow(CommandFormatError);
    }),
  );
});

test.each([
  ['no bytes', Buffer.alloc(0)],
  ['a format of the future', Buffer.concat([Buffer.from([3]), packr.pack([6, []])])],
  ['no body', Buffer.from([1])],
  ['a list that announces a billion items', withBody(Buffer.from([0xdd, 0x3f, 0xff, 0xff, 0xff]))],
  ['a string that announces a gigabyte', withBody(Buffer.from([0x92, 6, 0xdb, 0x3f, 0xff, 0xff, 0xff, 65]))],
  ['lists in lists in lists', withBody(Buffer.alloc(10_000, 0x91))],
  ['broken UTF-8', withBody(Buffer.from([0x92, 6, 0x91, 0xa1, 0xff]))],
  ['a lone surrogate in UTF-8', withBody(Buffer.from([0x92, 6, 0x91, 0xa3, 0xed, 0xa0, 0x80]))],
  ['a map', withBody(packr.pack({ 0: 6, 1: [] }))],
  ['a date', withBody(packr.pack([6, [new Date(0)]]))],
  ['null', withBody(packr.pack(null))],
  ['an unknown kind', withBody(packr.pack([99, []]))],
  ['an unknown tree', withBody(packr.pack([1, 2, []]))],
  ['a tree by name', withBody(packr.pack([1, 'data', []]))],
  ['a field too many', withBody(packr.pack([6, [], []]))],
  ['a field too few', withBody(packr.pack([2, 0, '/a']))],
  ['a path without its value', withBody(packr.pack([1, 0, ['/a']]))],
  ['a value that is a number', withBody(packr.pack([1, 0, ['/a', 1]]))],
  ['a path that is not canonical', withBody(packr.pack([1, 0, ['/a/', 'x']]))],
  ['a relative path', withBody(packr.pack([1, 0, ['a', 'x']]))],
  ['a value of the root', withBody(packr.pack([1, 0, ['/', 'x']]))],
  ['an access mode of 2', withBody(packr.pack([5, ['10.0.0.1', ['/a', 2]]]))],
  ['a write that is cut off in its time', Buffer.from([2, 0, 0])],
  [
    'a write of the future',
    Buffer.concat([Buffer.from([2]), Buffer.alloc(8), packr.pack(['', '', [], [], 0])]),
  ],
  [
    'a time before 1970',
    Buffer.concat([Buffer.from([2, 0xc0]), Buffer.alloc(7), packr.pack(['', '', [], []])]),
  ],
  [
    'half a millisecond',
    Buffer.concat([Buffer.from([2, 0x3f, 0xe0]), Buffer.alloc(6), packr.pack(['', '', [], []])]),
  ],
  ['a write without operations', withWriteBody(packr.pack(['', '', []]))],
  ['a long author', withWriteBody(packr.pack(['é'.repeat(129), '', [], []]))],
  ['a key with a blank', withWriteBody(packr.pack(['', 'a b', [], []]))],
  ['a key that is too long', withWriteBody(packr.pack(['', 'k'.repeat(256), [], []]))],
  ['an unknown precondition', withWriteBody(packr.pack(['', '', [[5, 0, '/a']], []]))],
  ['a precondition without its tree', withWriteBody(packr.pack(['', '', [[2, 2, '/a']], []]))],
  ['a precondition with a field too many', withWriteBody(packr.pack(['', '', [[2, 0, '/a', 'x']], []]))],
  ['a version that is a number', withWriteBody(packr.pack(['', '', [[1, 0, '/a', 1]], []]))],
  ['a version with a leading zero', withWriteBody(packr.pack(['', '', [[1, 0, '/a', '01']], []]))],
  ['a negative version', withWriteBody(packr.pack(['', '', [[1, 0, '/a', '-1']], []]))],
  ['a feature level in a write', withWriteBody(packr.pack(['', '', [], [[7, 2]]]))],
  ['a write in a write', withWriteBody(packr.pack(['', '', [], [['', '', [], []]]]))],
])('refuses %s', (_, bytes) => {
  expect(() => decodeCommand(bytes)).toThrow(CommandFormatError);
});

test.each<[string, Command]>([
  ['a lone surrogate', { type: 'merge', tree: 'data', leaves: [['/a', 'x\ud800']] }],
  ['a lone surrogate in a path', { type: 'delete', tree: 'data', paths: ['/\udc00'] }],
  ['a path that is not canonical', { type: 'deleteValue', tree: 'data', path: '/a/../b' }],
  ['a value of the root', { type: 'merge', tree: 'data', leaves: [['/', 'x']] }],
])('encodes nothing that no node could read: %s', (_, command) => {
  expect(() => encodeCommand(command)).toThrow(CommandFormatError);
});

test('a write is stamped once, in place, and nothing else of it changes', () => {
  const write = writeOf([{ type: 'deleteValue', tree: 'data', path: '/a' }], { author: 'me' });
  const padded = Buffer.concat([Buffer.from('before'), encodeCommand(write)]).subarray(6);
  stampTime(padded, 1.7e12);
  expect(decodeCommand(padded)).toEqual({ ...write, time: 1.7e12 });
  expect(padded).toEqual(encodeCommand({ ...write, time: 1.7e12 }));
  stampTime(padded, 1.8e12);
  expect(decodeCommand(padded)).toMatchObject({ time: 1.7e12 });
  const level = encodeCommand({ type: 'setFeatureLevel', level: 2 });
  stampTime(level, 1.7e12);
  expect(decodeCommand(level)).toEqual({ type: 'setFeatureLevel', level: 2 });
});
