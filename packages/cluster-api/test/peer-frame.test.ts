import { createHash } from 'node:crypto';
import { version } from '@metad/kv-store';
import { type LogId, logIndex, type Membership, type Message, nodeId, term } from '@metad/raft-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CallError } from '../src/consensus/call.ts';
import { FRAME_HEADER_BYTES } from '../src/peers/frame.ts';
import {
  decodeFrame,
  encodeFrame,
  encodeFrameParts,
  PEER_PROTOCOL_VERSION,
  type PeerFrame,
} from '../src/peers/protocol.ts';
import type { SnapshotFrame } from '../src/peers/snapshot-frame.ts';
import { WireError } from '../src/peers/wire-reader.ts';
import { callOutcomes, calls, digestMarks, messages, snapshotFrames } from './peer-arbitraries.ts';

const frames: fc.Arbitrary<PeerFrame> = fc.oneof(
  fc.record({ type: fc.constant('messages' as const), messages: fc.array(messages, { maxLength: 5 }) }),
  fc.record({ type: fc.constant('call' as const), id: fc.maxSafeNat(), call: calls }),
  fc.record({ type: fc.constant('answer' as const), id: fc.maxSafeNat(), outcome: callOutcomes }),
  fc.record({ type: fc.constant('snapshot' as const), frame: snapshotFrames }),
  fc.record({ type: fc.constant('digests' as const), marks: fc.array(digestMarks, { maxLength: 3 }) }),
  fc.constant<PeerFrame>({ type: 'ping' }),
);

function bodyOf(frame: PeerFrame): Buffer {
  return encodeFrame(frame).subarray(FRAME_HEADER_BYTES);
}

test('a frame in parts has the same bytes, and a long chunk is not copied', () => {
  fc.assert(
    fc.property(frames, (frame) => {
      expect(Buffer.concat(encodeFrameParts(frame))).toEqual(encodeFrame(frame));
    }),
  );
  for (const length of [0, 1, 255, 256, 65_535, 65_536, 262_144]) {
    const bytes = Buffer.alloc(length, length);
    const frame: PeerFrame = { type: 'snapshot', frame: { type: 'chunk', id: 3, offset: 2 ** 33, bytes } };
    const parts = encodeFrameParts(frame);
    expect(Buffer.concat(parts).equals(encodeFrame(frame))).toBe(true);
    if (length > 65_535) expect(parts[1]).toBe(bytes);
  }
});

/** Fails unless `bytes` decode, or are refused in the one way in which they may be. */
function decodeOrRefuse(bytes: Uint8Array): void {
  try {
    decodeFrame(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(WireError);
  }
}

test('every frame comes back as it was, its length in front', () => {
  fc.assert(
    fc.property(frames, (frame) => {
      const bytes = encodeFrame(frame);
      expect(bytes.readUInt32BE(0)).toBe(bytes.length - FRAME_HEADER_BYTES);
      expect(decodeFrame(bytes.subarray(FRAME_HEADER_BYTES))).toEqual(frame);
    }),
    { numRuns: 500 },
  );
});

test('frames that wait to be sent keep their bytes while others are encoded', () => {
  fc.assert(
    fc.property(fc.array(frames, { minLength: 2, maxLength: 8 }), (list) => {
      const waiting = list.map(bodyOf);
      expect(waiting.map(decodeFrame)).toEqual(list);
    }),
  );
});

test('garbage is refused with a WireError, whatever it is', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodeOrRefuse), { numRuns: 5000 });
});

test('a frame with damaged bytes is read or refused, and nothing else', () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(frames, damage, (frame, changes) => {
      const bytes = Buffer.from(bodyOf(frame));
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      decodeOrRefuse(bytes);
    }),
    { numRuns: 3000 },
  );
});

test('no frame is whole before its last byte, nor with one more', () => {
  fc.assert(
    fc.property(frames, fc.nat(), (frame, at) => {
      const bytes = bodyOf(frame);
      expect(() => decodeFrame(bytes.subarray(0, at % bytes.length))).toThrow(WireError);
      expect(() => decodeFrame(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(WireError);
    }),
  );
});

test('deep nesting is refused before it is followed', () => {
  expect(() => decodeFrame(Buffer.alloc(1_000_000, 0x91))).toThrow(WireError);
});

test('the wire format changes only together with its version', () => {
  const hash = createHash('sha256');
  for (const frame of SAMPLES) hash.update(encodeFrame(frame));
  // Nodes of one version must understand each other: what changes this hash raises PEER_PROTOCOL_VERSION.
  expect({ [PEER_PROTOCOL_VERSION]: hash.digest('hex') }).toEqual({
    2: '54cbfd4e11729a690f082c7756fa9feb2ce4086f728226e01b6380053493a2bc',
  });
});

const LOG_ID: LogId = { term: term(300), leader: nodeId(3), index: logIndex(70_000) };
const MEMBERSHIP: Membership = {
  configs: [[nodeId(1), nodeId(2)], [nodeId(1)]],
  nodes: new Map([
    [nodeId(1), { addr: '127.0.0.1:21001', instance: 'a1' }],
    [nodeId(2), { addr: '[::1]:21002' }],
  ]),
};
const ENVELOPE = { from: nodeId(1), to: nodeId(2), term: term(301) };

const MESSAGES: { readonly [T in Message['type']]: readonly Extract<Message, { type: T }>[] } = {
  requestPreVote: [{ type: 'requestPreVote', ...ENVELOPE, lastLog: LOG_ID }],
  requestPreVoteResponse: [{ type: 'requestPreVoteResponse', ...ENVELOPE, granted: true }],
  requestVote: [{ type: 'requestVote', ...ENVELOPE, lastLog: LOG_ID, transfer: false }],
  requestVoteResponse: [{ type: 'requestVoteResponse', ...ENVELOPE, granted: false }],
  appendEntries: [
    {
      type: 'appendEntries',
      ...ENVELOPE,
      previous: LOG_ID,
      entries: [
        { ...LOG_ID, index: logIndex(70_001), payload: { type: 'blank' } },
        { ...LOG_ID, index: logIndex(70_002), payload: { type: 'command', data: Uint8Array.of(1, 2, 3) } },
        { ...LOG_ID, index: logIndex(70_003), payload: { type: 'membership', membership: MEMBERSHIP } },
      ],
      committed: logIndex(69_999),
      round: 2 ** 40,
    },
  ],
  appendEntriesResponse: [
    {
      type: 'appendEntriesResponse',
      ...ENVELOPE,
      result: { type: 'accepted', matched: logIndex(5) },
      round: 6,
    },
    {
      type: 'appendEntriesResponse',
      ...ENVELOPE,
      result: { type: 'rejected', rejected: logIndex(5), hint: LOG_ID },
      round: 6,
    },
  ],
  heartbeat: [{ type: 'heartbeat', ...ENVELOPE, committed: logIndex(4), round: 7 }],
  heartbeatResponse: [{ type: 'heartbeatResponse', ...ENVELOPE, round: 7 }],
  installSnapshot: [
    {
      type: 'installSnapshot',
      ...ENVELOPE,
      snapshot: { last: LOG_ID, membership: MEMBERSHIP, membershipLogId: LOG_ID },
      round: 8,
    },
  ],
  timeoutNow: [{ type: 'timeoutNow', ...ENVELOPE }],
  readIndexRequest: [{ type: 'readIndexRequest', ...ENVELOPE, reads: [1, 2] }],
  readIndexResponse: [
    { type: 'readIndexResponse', ...ENVELOPE, reads: [1, 2], index: logIndex(9) },
    { type: 'readIndexResponse', ...ENVELOPE, reads: [], index: null },
  ],
};

const ERRORS: { readonly [T in CallError['type']]: Extract<CallError, { type: T }> } = {
  forwardToLeader: { type: 'forwardToLeader', leader: null },
  noLink: { type: 'noLink', message: 'm' },
  overloaded: { type: 'overloaded' },
  tooLarge: { type: 'tooLarge', maxBytes: 1000 },
  stateFull: { type: 'stateFull', maxBytes: 1000 },
  stopping: { type: 'stopping' },
  inProgress: { type: 'inProgress', change: LOG_ID },
  emptyMembership: { type: 'emptyMembership' },
  learnerNotFound: { type: 'learnerNotFound', node: nodeId(4) },
  conflict: { type: 'conflict', message: 'm' },
  unreachable: { type: 'unreachable', message: 'm' },
};

const SNAPSHOT_FRAMES: { readonly [T in SnapshotFrame['type']]: Extract<SnapshotFrame, { type: T }> } = {
  offer: {
    type: 'offer',
    id: 1,
    term: term(301),
    meta: { last: LOG_ID, membership: MEMBERSHIP, membershipLogId: LOG_ID },
    bytes: 2 ** 33,
    checksum: 'a1'.repeat(32),
  },
  chunk: { type: 'chunk', id: 1, offset: 2 ** 20, bytes: Uint8Array.of(1, 2, 3) },
  finish: {
    type: 'finish',
    id: 1,
    message: {
      type: 'installSnapshot',
      ...ENVELOPE,
      snapshot: { last: LOG_ID, membership: MEMBERSHIP, membershipLogId: LOG_ID },
      round: 9,
    },
  },
  progress: { type: 'progress', id: 1, offset: 2 ** 33 },
  done: { type: 'done', id: 1 },
  refused: { type: 'refused', id: 1, reason: 'm' },
};

const SAMPLES: readonly PeerFrame[] = [
  { type: 'messages', messages: Object.values(MESSAGES).flat() },
  { type: 'call', id: 1, call: { type: 'propose', command: Uint8Array.of(9) } },
  { type: 'call', id: 2, call: { type: 'addLearner', node: nodeId(4), addr: 'localhost:1' } },
  { type: 'call', id: 3, call: { type: 'removeLearner', node: nodeId(4) } },
  { type: 'call', id: 4, call: { type: 'changeMembership', voters: [nodeId(1), nodeId(4)] } },
  { type: 'call', id: 5, call: { type: 'transferLeader', to: null } },
  {
    type: 'answer',
    id: 1,
    outcome: {
      type: 'done',
      logId: LOG_ID,
      result: { type: 'applied', version: version(8) },
      membership: MEMBERSHIP,
    },
  },
  { type: 'answer', id: 2, outcome: { type: 'unknown', message: 'm' } },
  ...Object.values(ERRORS).map(
    (error) => ({ type: 'answer', id: 3, outcome: { type: 'refused', error } }) as const,
  ),
  { type: 'digests', marks: [{ index: logIndex(4096), digest: '0123456789abcdef'.repeat(4) }] },
  { type: 'ping' },
  ...Object.values(SNAPSHOT_FRAMES).map((frame) => ({ type: 'snapshot', frame }) as const),
];
