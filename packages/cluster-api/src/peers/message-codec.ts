import {
  type AppendEntries,
  type AppendResult,
  type Entry,
  entryBytes,
  logIndex,
  type Message,
  type NodeId,
  type SnapshotMeta,
  type Term,
  term,
  unreachable,
} from '@metad/raft-core';
import {
  membershipBytesAtMost,
  readEntries,
  readList,
  readLogId,
  readMembership,
  readNodeId,
  writeEntries,
  writeLogId,
  writeMembership,
} from './record-codec.ts';
import { WireError, type WireReader } from './wire-reader.ts';

/** The wire's number for each message. A number is never given to another message. */
const KIND = {
  requestPreVote: 1,
  requestPreVoteResponse: 2,
  requestVote: 3,
  requestVoteResponse: 4,
  appendEntries: 5,
  appendEntriesResponse: 6,
  heartbeat: 7,
  heartbeatResponse: 8,
  installSnapshot: 9,
  timeoutNow: 10,
  readIndexRequest: 11,
  readIndexResponse: 12,
} as const satisfies Record<Message['type'], number>;

/** A message travels as `[kind, from, to, term, …its own fields]`: what msgpackr is to write. */
export function writeMessage(message: Message): unknown[] {
  return [KIND[message.type], message.from, message.to, message.term, ...writeFields(message)];
}

/** Throws a {@link WireError} unless a whole, well-formed message comes next. */
export function readMessage(reader: WireReader): Message {
  const fields = reader.array() - ENVELOPE_FIELDS;
  const kind = reader.integer();
  const read = READERS.get(kind);
  if (!read || fields !== read.fields) throw new WireError(`unknown message ${kind} with ${fields} fields`);
  return read.message(reader, {
    from: readNodeId(reader),
    to: readNodeId(reader),
    term: term(reader.integer()),
  });
}

/** Never less than what the message takes in a frame; exact counting would cost an encoding. */
export function messageBytesAtMost(message: Message): number {
  switch (message.type) {
    case 'appendEntries':
      return message.entries.reduce((bytes, entry) => bytes + entryBytesAtMost(entry), FIXED_BYTES);
    case 'installSnapshot':
      return FIXED_BYTES + membershipBytesAtMost(message.snapshot.membership);
    case 'readIndexRequest':
    case 'readIndexResponse':
      return FIXED_BYTES + message.reads.length * INTEGER_BYTES;
    default:
      return FIXED_BYTES;
  }
}

function entryBytesAtMost(entry: Entry): number {
  const { payload } = entry;
  return entryBytes(entry) + (payload.type === 'membership' ? membershipBytesAtMost(payload.membership) : 0);
}

/** What a number takes at most. */
const INTEGER_BYTES = 9;
/** Envelope, rounds, and three log ids of three numbers each, with the headers of their arrays. */
const FIXED_BYTES = 192;

function writeFields(message: Message): unknown[] {
  switch (message.type) {
    case 'requestPreVote':
      return [writeLogId(message.lastLog)];
    case 'requestVote':
      return [writeLogId(message.lastLog), message.transfer];
    case 'requestPreVoteResponse':
    case 'requestVoteResponse':
      return [message.granted];
    case 'appendEntries':
      return [writeLogId(message.previous), writeEntries(message.entries), message.committed, message.round];
    case 'appendEntriesResponse':
      return [writeAppendResult(message.result), message.round];
    case 'heartbeat':
      return [message.committed, message.round];
    case 'heartbeatResponse':
      return [message.round];
    case 'installSnapshot':
      return [writeSnapshotMeta(message.snapshot), message.round];
    case 'timeoutNow':
      return [];
    case 'readIndexRequest':
      return [message.reads];
    case 'readIndexResponse':
      return [message.reads, message.index];
    default:
      return unreachable(message);
  }
}

interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

interface MessageReader {
  /** How many values follow the envelope. */
  readonly fields: number;
  readonly message: (reader: WireReader, envelope: Envelope) => Message;
}

const ENVELOPE_FIELDS = 4;

// The order of the fields in each literal is the order in which they are read.
const READERS: ReadonlyMap<number, MessageReader> = new Map<number, MessageReader>([
  [
    KIND.requestPreVote,
    { fields: 1, message: (r, envelope) => ({ type: 'requestPreVote', ...envelope, lastLog: readLogId(r) }) },
  ],
  [
    KIND.requestPreVoteResponse,
    {
      fields: 1,
      message: (r, envelope) => ({ type: 'requestPreVoteResponse', ...envelope, granted: r.boolean() }),
    },
  ],
  [
    KIND.requestVote,
    {
      fields: 2,
      message: (r, envelope) => ({
        type: 'requestVote',
        ...envelope,
        lastLog: readLogId(r),
        transfer: r.boolean(),
      }),
    },
  ],
  [
    KIND.requestVoteResponse,
    {
      fields: 1,
      message: (r, envelope) => ({ type: 'requestVoteResponse', ...envelope, granted: r.boolean() }),
    },
  ],
  [KIND.appendEntries, { fields: 4, message: readAppendEntries }],
  [
    KIND.appendEntriesResponse,
    {
      fields: 2,
      message: (r, envelope) => ({
        type: 'appendEntriesResponse',
        ...envelope,
        result: readAppendResult(r),
        round: r.integer(),
      }),
    },
  ],
  [
    KIND.heartbeat,
    {
      fields: 2,
      message: (r, envelope) => ({
        type: 'heartbeat',
        ...envelope,
        committed: logIndex(r.integer()),
        round: r.integer(),
      }),
    },
  ],
  [
    KIND.heartbeatResponse,
    { fields: 1, message: (r, envelope) => ({ type: 'heartbeatResponse', ...envelope, round: r.integer() }) },
  ],
  [
    KIND.installSnapshot,
    {
      fields: 2,
      message: (r, envelope) => ({
        type: 'installSnapshot',
        ...envelope,
        snapshot: readSnapshotMeta(r),
        round: r.integer(),
      }),
    },
  ],
  [KIND.timeoutNow, { fields: 0, message: (_, envelope) => ({ type: 'timeoutNow', ...envelope }) }],
  [
    KIND.readIndexRequest,
    { fields: 1, message: (r, envelope) => ({ type: 'readIndexRequest', ...envelope, reads: readReads(r) }) },
  ],
  [
    KIND.readIndexResponse,
    {
      fields: 2,
      message: (r, envelope) => ({
        type: 'readIndexResponse',
        ...envelope,
        reads: readReads(r),
        index: r.skipNil() ? null : logIndex(r.integer()),
      }),
    },
  ],
]);

function readAppendEntries(reader: WireReader, envelope: Envelope): AppendEntries {
  const previous = readLogId(reader);
  const entries = readEntries(reader, previous);
  const lastTerm = entries.at(-1)?.term ?? previous.term;
  if (lastTerm > envelope.term)
    throw new WireError(`entries of term ${lastTerm} come in term ${envelope.term}`);
  const committed = logIndex(reader.integer());
  return { type: 'appendEntries', ...envelope, previous, entries, committed, round: reader.integer() };
}

const ACCEPTED = 0;
const REJECTED = 1;

function writeAppendResult(result: AppendResult): unknown[] {
  switch (result.type) {
    case 'accepted':
      return [ACCEPTED, result.matched];
    case 'rejected':
      return [REJECTED, result.rejected, writeLogId(result.hint)];
    default:
      return unreachable(result);
  }
}

function readAppendResult(reader: WireReader): AppendResult {
  const fields = reader.array();
  const kind = fields > 0 ? reader.integer() : -1;
  if (kind === ACCEPTED && fields === 2) return { type: 'accepted', matched: logIndex(reader.integer()) };
  if (kind === REJECTED && fields === 3) {
    return { type: 'rejected', rejected: logIndex(reader.integer()), hint: readLogId(reader) };
  }
  throw new WireError(`unknown append result ${kind} of ${fields} fields`);
}

export function writeSnapshotMeta(snapshot: SnapshotMeta): unknown[] {
  return [
    writeLogId(snapshot.last),
    writeMembership(snapshot.membership),
    writeLogId(snapshot.membershipLogId),
  ];
}

export function readSnapshotMeta(reader: WireReader): SnapshotMeta {
  reader.tuple(3);
  return {
    last: readLogId(reader),
    membership: readMembership(reader),
    membershipLogId: readLogId(reader),
  };
}

function readReads(reader: WireReader): number[] {
  return readList(reader, () => reader.integer());
}
