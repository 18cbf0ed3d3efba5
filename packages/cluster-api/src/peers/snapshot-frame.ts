import { type InstallSnapshot, type SnapshotMeta, type Term, term, unreachable } from '@metad/raft-core';
import { readMessage, readSnapshotMeta, writeMessage, writeSnapshotMeta } from './message-codec.ts';
import { WireError, type WireReader } from './wire-reader.ts';

/** What the sender of a snapshot says. `id` names one transfer on one connection, and comes back in each answer. */
export type SnapshotRequest =
  /** Answered with how much of it is there already. */
  | {
      readonly type: 'offer';
      readonly id: number;
      /** The sender's, so that an old leader gives way to a new one. */
      readonly term: Term;
      readonly meta: SnapshotMeta;
      readonly bytes: number;
      /** SHA-256, hex: offers of one checksum are of the same bytes. */
      readonly checksum: string;
    }
  | { readonly type: 'chunk'; readonly id: number; readonly offset: number; readonly bytes: Uint8Array }
  /** All was sent; what to step once it is verified. */
  | { readonly type: 'finish'; readonly id: number; readonly message: InstallSnapshot };

/** What its receiver says. */
export type SnapshotAnswer =
  /** Everything before `offset` is written; go on from there. Also a sign of life during the verification. */
  | { readonly type: 'progress'; readonly id: number; readonly offset: number }
  /** The message was stepped. */
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'refused'; readonly id: number; readonly reason: string };

export type SnapshotFrame = SnapshotRequest | SnapshotAnswer;

export function isSnapshotRequest(frame: SnapshotFrame): frame is SnapshotRequest {
  return frame.type === 'offer' || frame.type === 'chunk' || frame.type === 'finish';
}

const OFFER = 0;
const CHUNK = 1;
const FINISH = 2;
const PROGRESS = 3;
const DONE = 4;
const REFUSED = 5;

/** A frame travels as `[kind, id, …its fields]`. */
export function writeSnapshotFrame(frame: SnapshotFrame): unknown[] {
  switch (frame.type) {
    case 'offer':
      return [OFFER, frame.id, frame.term, writeSnapshotMeta(frame.meta), frame.bytes, frame.checksum];
    case 'chunk':
      return [CHUNK, frame.id, frame.offset, frame.bytes];
    case 'finish':
      return [FINISH, frame.id, writeMessage(frame.message)];
    case 'progress':
      return [PROGRESS, frame.id, frame.offset];
    case 'done':
      return [DONE, frame.id];
    case 'refused':
      return [REFUSED, frame.id, frame.reason];
    default:
      return unreachable(frame);
  }
}

/** Throws a {@link WireError} unless a whole, well-formed frame comes next. */
export function readSnapshotFrame(reader: WireReader): SnapshotFrame {
  const fields = reader.array();
  const kind = reader.integer();
  const id = reader.integer();
  if (kind === OFFER && fields === 6) {
    return {
      type: 'offer',
      id,
      term: term(reader.integer()),
      meta: readSnapshotMeta(reader),
      bytes: reader.integer(),
      checksum: readChecksum(reader),
    };
  }
  if (kind === CHUNK && fields === 4) {
    // It is most of its frame, and is written soon.
    return { type: 'chunk', id, offset: reader.integer(), bytes: reader.view() };
  }
  if (kind === FINISH && fields === 3) return { type: 'finish', id, message: readInstallSnapshot(reader) };
  if (kind === PROGRESS && fields === 3) return { type: 'progress', id, offset: reader.integer() };
  if (kind === DONE && fields === 2) return { type: 'done', id };
  if (kind === REFUSED && fields === 3) return { type: 'refused', id, reason: reader.string() };
  throw new WireError(`unknown snapshot frame ${kind} of ${fields} fields`);
}

function readInstallSnapshot(reader: WireReader): InstallSnapshot {
  const message = readMessage(reader);
  if (message.type !== 'installSnapshot') throw new WireError(`a ${message.type} ends a snapshot`);
  return message;
}

function readChecksum(reader: WireReader): string {
  const checksum = reader.string();
  if (!/^[\da-f]{64}$/.test(checksum)) throw new WireError('a checksum is 64 hex digits');
  return checksum;
}
