import { assert } from '@metad/raft-core';
import type { Command, WriteCommand } from './command.ts';
import { CommandFormatError } from './command-fields.ts';
import { contentFields, readContent } from './content-codec.ts';
import { FIRST_FEATURE_LEVEL } from './feature-level.ts';
import { packPlain, unpackPlain } from './message-pack.ts';
import { readWrite, writeFields } from './write-codec.ts';

/** The first byte of every write. It grows when what follows changes its shape or its meaning. */
export const COMMAND_FORMAT = 2;

/** The first byte of everything else: what a 0.1 has written, and what raises the feature level. */
export const BARE_FORMAT = 1;

/** How deep lists may lie in lists. */
const MAX_BARE_DEPTH = 3;
const MAX_WRITE_DEPTH = 5;

const BARE_FIELDS_OFFSET = 1;

/** Where a write's time stands, a big-endian double, and where its fields begin. */
const TIME_OFFSET = 1;
const FIELDS_OFFSET = 9;

/** The level from which on a kind of command may be in the log: before it, a member might not be able to read it. */
const INTRODUCED_AT: { readonly [type in Command['type']]: number } = {
  write: FIRST_FEATURE_LEVEL,
  merge: FIRST_FEATURE_LEVEL,
  replace: FIRST_FEATURE_LEVEL,
  delete: FIRST_FEATURE_LEVEL,
  deleteValue: FIRST_FEATURE_LEVEL,
  setRules: FIRST_FEATURE_LEVEL,
  deleteRules: FIRST_FEATURE_LEVEL,
  setFeatureLevel: FIRST_FEATURE_LEVEL,
};

/**
 * Equal commands give equal bytes. Throws a CommandFormatError for what `decodeCommand` would refuse.
 *
 * `level` is the feature level of the state that the sender has seen. A kind of command that came later is a bug of the
 * sender's, which must ask for the level before it uses one.
 */
export function encodeCommand(command: Command, level: number = FIRST_FEATURE_LEVEL): Uint8Array {
  const introduced = INTRODUCED_AT[command.type];
  assert(introduced <= level, () => `${command.type} needs feature level ${introduced}, not ${level}`);
  if (command.type === 'write') return encodeWrite(command);
  const fields = contentFields(command);
  // What no node could read must not get into the log.
  readContent(fields);
  const bytes = packPlain(fields, BARE_FIELDS_OFFSET);
  bytes[0] = BARE_FORMAT;
  return bytes;
}

function encodeWrite(command: WriteCommand): Uint8Array {
  const fields = writeFields(command);
  readWrite(command.time, fields);
  const bytes = packPlain(fields, FIELDS_OFFSET);
  bytes[0] = COMMAND_FORMAT;
  bytes.writeDoubleBE(command.time, TIME_OFFSET);
  return bytes;
}

/** Checks everything: it also reads what came over the network. Throws a CommandFormatError. */
export function decodeCommand(bytes: Uint8Array): Command {
  switch (bytes[0]) {
    case COMMAND_FORMAT: {
      if (bytes.byteLength < FIELDS_OFFSET) throw new CommandFormatError('a write is cut off');
      return readWrite(timeOf(bytes), unpack(bytes, FIELDS_OFFSET, MAX_WRITE_DEPTH));
    }
    case BARE_FORMAT:
      return readContent(unpack(bytes, BARE_FIELDS_OFFSET, MAX_BARE_DEPTH));
    default:
      throw new CommandFormatError(`unknown command format ${bytes[0] ?? '(no bytes)'}`);
  }
}

/**
 * Gives a write its time, in milliseconds since 1970, in place. One that has a time keeps it: it may be in a log already.
 * Other commands have none. Expects what `decodeCommand` can read.
 */
export function stampTime(command: Uint8Array, timeMs: number): void {
  if (command[0] !== COMMAND_FORMAT || timeOf(command) !== 0) return;
  viewOf(command).setFloat64(TIME_OFFSET, timeMs);
}

function timeOf(write: Uint8Array): number {
  return viewOf(write).getFloat64(TIME_OFFSET);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function unpack(bytes: Uint8Array, start: number, maxDepth: number): unknown {
  const value = unpackPlain(bytes, start, maxDepth);
  if (value === undefined) {
    throw new CommandFormatError('not a MessagePack list of strings and small integers');
  }
  return value;
}
