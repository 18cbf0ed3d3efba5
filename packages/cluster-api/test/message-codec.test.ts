import { logIndex, type Message, nodeId, term } from '@metad/raft-core';
import fc from 'fast-check';
import { pack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { FRAME_HEADER_BYTES } from '../src/peers/frame.ts';
import { messageBytesAtMost, readMessage, writeMessage } from '../src/peers/message-codec.ts';
import { encodeFrame } from '../src/peers/protocol.ts';
import { WireError, WireReader } from '../src/peers/wire-reader.ts';
import { messages } from './peer-arbitraries.ts';

function decode(bytes: Uint8Array): Message {
  const reader = new WireReader(bytes);
  const message = readMessage(reader);
  reader.end();
  return message;
}

test('every message comes back as it was', () => {
  fc.assert(
    fc.property(messages, (message) => {
      expect(decode(pack(writeMessage(message)))).toEqual(message);
    }),
    { numRuns: 1000 },
  );
});

test('a message never takes more in a frame than it is counted for', () => {
  fc.assert(
    fc.property(messages, (message) => {
      const frame = encodeFrame({ type: 'messages', messages: [message] });
      expect(frame.length - FRAME_HEADER_BYTES).toBeLessThanOrEqual(messageBytesAtMost(message));
    }),
    { numRuns: 1000 },
  );
});

test('a command is a copy: the bytes that it came in may be used again', () => {
  const data = new Uint8Array(Buffer.from('keep'));
  const bytes = pack(
    writeMessage({
      type: 'appendEntries',
      from: nodeId(1),
      to: nodeId(2),
      term: term(3),
      previous: { term: term(2), leader: nodeId(1), index: logIndex(7) },
      entries: [{ term: term(3), leader: nodeId(1), index: logIndex(8), payload: { type: 'command', data } }],
      committed: logIndex(7),
      round: 4,
    }),
  );
  const message = decode(bytes);
  bytes.fill(0xff);
  const payload = message.type === 'appendEntries' && message.entries[0]?.payload;
  expect(payload).toEqual({ type: 'command', data });
});

describe('what no node sends is refused', () => {
  const LOG_ID = [2, 1, 7];
  const cases: readonly (readonly [string, unknown])[] = [
    ['another type', 'a string'],
    ['an empty array', []],
    ['an unknown kind', [99, 1, 2, 3]],
    ['a kind that is no number', ['heartbeat', 1, 2, 3, 4, 5]],
    ['a missing field', [7, 1, 2, 3, 4]],
    ['a field too many', [7, 1, 2, 3, 4, 5, 6]],
    ['node 0', [7, 0, 2, 3, 4, 5]],
    ['a negative node', [7, -1, 2, 3, 4, 5]],
    ['a fractional term', [7, 1, 2, 3.5, 4, 5]],
    ['a negative index', [7, 1, 2, 3, -4, 5]],
    ['an unsafe index', [7, 1, 2, 3, 2 ** 53, 5]],
    ['an index that is not a number', [7, 1, 2, 3, Number.NaN, 5]],
    ['an infinite index', [7, 1, 2, 3, Number.POSITIVE_INFINITY, 5]],
    ['a 64-bit integer', [7, 1, 2, 3, 2n ** 60n, 5]],
    ['a number for a boolean', [2, 1, 2, 3, 1]],
    ['a string for bytes', [5, 1, 2, 3, LOG_ID, [[3, 1, [1, 'text']]], 7, 1]],
    ['an unknown payload', [5, 1, 2, 3, LOG_ID, [[3, 1, [9]]], 7, 1]],
    ['a blank with content', [5, 1, 2, 3, LOG_ID, [[3, 1, [0, 1]]], 7, 1]],
    ['an entry of a term before its predecessor', [5, 1, 2, 3, LOG_ID, [[1, 1, [0]]], 7, 1]],
    ['an entry of a term after the message', [5, 1, 2, 3, LOG_ID, [[4, 1, [0]]], 7, 1]],
    ['an entry behind the last index', [5, 1, 2, 3, [2, 1, Number.MAX_SAFE_INTEGER], [[3, 1, [0]]], 7, 1]],
    ['a membership without nodes', [5, 1, 2, 3, LOG_ID, [[3, 1, [2, { configs: [] }]]], 7, 1]],
    ['a membership with more fields', membership({ configs: [], nodes: {}, more: 1 })],
    ['a node without an address', membership({ configs: [], nodes: { 1: {} } })],
    ['a node with more fields', membership({ configs: [], nodes: { 1: { addr: 'a', x: 1 } } })],
    ['a node named by a word', membership({ configs: [], nodes: { one: { addr: 'a' } } })],
    ['a node named twice', membership({ configs: [], nodes: { 1: { addr: 'a' }, '01': { addr: 'b' } } })],
    ['a config of strings', membership({ configs: [['1']], nodes: {} })],
    ['an unknown append result', [6, 1, 2, 3, [2, 1], 4]],
    ['a date', [7, 1, 2, 3, new Date(0), 5]],
    ['a regular expression', [11, 1, 2, 3, /x/]],
  ];
  test.each(cases)('%s', (_, value) => {
    expect(() => decode(pack(value))).toThrow(WireError);
  });

  function membership(value: unknown): unknown {
    return [5, 1, 2, 3, LOG_ID, [[3, 1, [2, value]]], 7, 1];
  }
});
