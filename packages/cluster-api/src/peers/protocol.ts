import { type Message, unreachable } from '@metad/raft-core';
import { Packr, RESERVE_START_SPACE } from 'msgpackr';
import type { Call, CallOutcome } from '../consensus/call.ts';
import type { DigestMark } from '../consensus/digest-check.ts';
import { readCall, readCallOutcome, writeCall, writeCallOutcome } from './call-codec.ts';
import { readDigestMark, writeDigestMark } from './digest-codec.ts';
import { FRAME_HEADER_BYTES } from './frame.ts';
import { readMessage, writeMessage } from './message-codec.ts';
import type { ProtocolRange } from './protocol-range.ts';
import { readList } from './record-codec.ts';
import { readSnapshotFrame, type SnapshotFrame, writeSnapshotFrame } from './snapshot-frame.ts';
import { WireError, WireReader } from './wire-reader.ts';

/** Raised with every change of what frames look like. */
export const PEER_PROTOCOL_VERSION = 2;

/**
 * What this release can speak. Whoever raises the version keeps the one before in here, and lets frames be written and
 * read for the protocol of their link, which the handshake agrees on: nodes are upgraded one by one.
 */
export const SPOKEN_PROTOCOLS: ProtocolRange = { oldest: 2, newest: PEER_PROTOCOL_VERSION };

/** What travels over an open peer connection, both ways. */
export type PeerFrame =
  | { readonly type: 'messages'; readonly messages: readonly Message[] }
  /** `id` is the asker's, unique among its calls in flight on this connection. */
  | { readonly type: 'call'; readonly id: number; readonly call: Call }
  | { readonly type: 'answer'; readonly id: number; readonly outcome: CallOutcome }
  /** A part of a snapshot's transfer, in either direction. */
  | { readonly type: 'snapshot'; readonly frame: SnapshotFrame }
  /** What the sender has applied, for the receiver to compare. */
  | { readonly type: 'digests'; readonly marks: readonly DigestMark[] }
  /** Shows that the other end lives; needs no answer, as both ends send them. */
  | { readonly type: 'ping' };

/** A frame as it goes to the socket, its length in front. */
export function encodeFrame(frame: PeerFrame): Buffer {
  const bytes = packr.pack(writeFrame(frame), RESERVE_START_SPACE | FRAME_HEADER_BYTES);
  bytes.writeUInt32BE(bytes.length - FRAME_HEADER_BYTES, 0);
  return bytes;
}

/**
 * The same in parts, to be sent one after the other. The bytes of a chunk are a part of their own: copies of all of a
 * snapshot would keep the garbage collector busy.
 */
export function encodeFrameParts(frame: PeerFrame): readonly Uint8Array[] {
  if (frame.type !== 'snapshot' || frame.frame.type !== 'chunk') return [encodeFrame(frame)];
  const { bytes } = frame.frame;
  // Shorter ones have another header, and cost little.
  if (bytes.byteLength <= MAX_UINT16) return [encodeFrame(frame)];
  const empty = encodeFrame({ type: 'snapshot', frame: { ...frame.frame, bytes: NO_BYTES } });
  const head = Buffer.concat([empty.subarray(0, -EMPTY_BIN_BYTES), BIN32_HEADER]);
  head.writeUInt32BE(bytes.byteLength, head.length - 4);
  head.writeUInt32BE(head.length - FRAME_HEADER_BYTES + bytes.byteLength, 0);
  return [head, bytes];
}

/** Reads the body of a frame. Throws a {@link WireError} for anything that {@link encodeFrame} can't have made. */
export function decodeFrame(body: Uint8Array): PeerFrame {
  const reader = new WireReader(body);
  const frame = readFrame(reader);
  reader.end();
  return frame;
}

// Records are a msgpackr extension whose meaning depends on earlier frames: plain msgpack only.
const packr = new Packr({ useRecords: false });

const NO_BYTES = Buffer.alloc(0);
const MAX_UINT16 = 0xffff;
// From the msgpack specification: bin8 of no bytes, and bin32 with its length to come.
const EMPTY_BIN_BYTES = 2;
const BIN32_HEADER = Buffer.from([0xc6, 0, 0, 0, 0]);

const MESSAGES = 0;
const CALL = 1;
const ANSWER = 2;
const PING = 3;
const SNAPSHOT = 4;
const DIGESTS = 5;

function writeFrame(frame: PeerFrame): unknown[] {
  switch (frame.type) {
    case 'messages':
      return [MESSAGES, frame.messages.map(writeMessage)];
    case 'call':
      return [CALL, frame.id, writeCall(frame.call)];
    case 'answer':
      return [ANSWER, frame.id, writeCallOutcome(frame.outcome)];
    case 'ping':
      return [PING];
    case 'snapshot':
      return [SNAPSHOT, writeSnapshotFrame(frame.frame)];
    case 'digests':
      return [DIGESTS, frame.marks.map(writeDigestMark)];
    default:
      return unreachable(frame);
  }
}

function readFrame(reader: WireReader): PeerFrame {
  const fields = reader.array();
  const kind = fields > 0 ? reader.integer() : -1;
  if (kind === MESSAGES && fields === 2) {
    return { type: 'messages', messages: readList(reader, () => readMessage(reader)) };
  }
  if (kind === CALL && fields === 3) return { type: 'call', id: reader.integer(), call: readCall(reader) };
  if (kind === ANSWER && fields === 3) {
    return { type: 'answer', id: reader.integer(), outcome: readCallOutcome(reader) };
  }
  if (kind === PING && fields === 1) return { type: 'ping' };
  if (kind === SNAPSHOT && fields === 2) return { type: 'snapshot', frame: readSnapshotFrame(reader) };
  if (kind === DIGESTS && fields === 2) {
    return { type: 'digests', marks: readList(reader, () => readDigestMark(reader)) };
  }
  throw new WireError(`unknown frame ${kind} of ${fields} fields`);
}
