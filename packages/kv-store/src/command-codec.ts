import { assert, unreachable } from '@metad/raft-core';
import { Packr } from 'msgpackr';
import type { AccessMode, AccessRule, Command, Leaf, TreeName } from './command.ts';
import { FIRST_FEATURE_LEVEL, LAST_FEATURE_LEVEL } from './feature-level.ts';
import { isPlainMessagePack } from './message-pack.ts';
import { canonicalPath, ROOT } from './path.ts';

/** The first byte of every command. It grows when what follows changes its shape or its meaning. */
export const COMMAND_FORMAT = 1;

/** Bytes that are no command. */
export class CommandFormatError extends Error {
  override readonly name = 'CommandFormatError';
}

// Commands are arrays of strings, small integers and arrays: no maps, so that equal commands have equal bytes.
const packr = new Packr({ useRecords: false, moreTypes: false });

const TREES: readonly TreeName[] = ['data', 'mapping'];

const OPCODE = {
  merge: 1,
  replace: 2,
  delete: 3,
  deleteValue: 4,
  setRules: 5,
  deleteRules: 6,
  setFeatureLevel: 7,
} as const;

/** The level from which on a kind of command may be in the log: before it, a member might not be able to read it. */
const INTRODUCED_AT: { readonly [type in Command['type']]: number } = {
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
  const fields = fieldsOf(command);
  // What no node could read must not get into the log.
  commandOf(fields);
  return Buffer.concat([FORMAT_BYTE, packr.pack(fields)]);
}

const FORMAT_BYTE = Uint8Array.of(COMMAND_FORMAT);

/** Checks everything: it also reads what came over the network. Throws a CommandFormatError. */
export function decodeCommand(bytes: Uint8Array): Command {
  if (bytes[0] !== COMMAND_FORMAT)
    throw new CommandFormatError(`unknown command format ${bytes[0] ?? '(no bytes)'}`);
  return commandOf(unpack(bytes.subarray(1)));
}

/** Fields within a command are lists of strings at most two levels deep. */
const maxDepth = 3;

function unpack(bytes: Uint8Array): unknown {
  if (!isPlainMessagePack(bytes, maxDepth)) {
    throw new CommandFormatError('not a MessagePack list of strings and small integers');
  }
  return packr.unpack(bytes);
}

function fieldsOf(command: Command): unknown[] {
  switch (command.type) {
    case 'merge':
      return [OPCODE.merge, TREES.indexOf(command.tree), command.leaves.flat()];
    case 'replace':
      return [OPCODE.replace, TREES.indexOf(command.tree), command.path, command.leaves.flat()];
    case 'delete':
      return [OPCODE.delete, TREES.indexOf(command.tree), command.paths];
    case 'deleteValue':
      return [OPCODE.deleteValue, TREES.indexOf(command.tree), command.path];
    case 'setRules':
      return [
        OPCODE.setRules,
        command.rules.flatMap(([host, rules]) => [host, rules.flatMap(({ path, mode }) => [path, mode])]),
      ];
    case 'deleteRules':
      return [OPCODE.deleteRules, command.hosts];
    case 'setFeatureLevel':
      return [OPCODE.setFeatureLevel, command.level];
    default:
      return unreachable(command);
  }
}

function commandOf(value: unknown): Command {
  const [opcode, ...fields] = list(value);
  switch (opcode) {
    case OPCODE.merge:
      return { type: 'merge', tree: tree(fields, 2), leaves: leaves(fields[1]) };
    case OPCODE.replace:
      return { type: 'replace', tree: tree(fields, 3), path: path(fields[1]), leaves: leaves(fields[2]) };
    case OPCODE.delete:
      return { type: 'delete', tree: tree(fields, 2), paths: list(fields[1]).map(path) };
    case OPCODE.deleteValue:
      return { type: 'deleteValue', tree: tree(fields, 2), path: path(fields[1]) };
    case OPCODE.setRules:
      return {
        type: 'setRules',
        rules: pairs(only(fields)).map(([host, rules]) => [text(host), ruleList(rules)]),
      };
    case OPCODE.deleteRules:
      return { type: 'deleteRules', hosts: list(only(fields)).map(text) };
    case OPCODE.setFeatureLevel:
      return { type: 'setFeatureLevel', level: featureLevel(only(fields)) };
    default:
      throw new CommandFormatError('unknown kind of command');
  }
}

/** The first of `count` fields names the tree. */
function tree(fields: readonly unknown[], count: number): TreeName {
  const name = typeof fields[0] === 'number' ? TREES[fields[0]] : undefined;
  if (name === undefined || fields.length !== count)
    throw new CommandFormatError('a command on a tree has other fields');
  return name;
}

function only(fields: readonly unknown[]): unknown {
  if (fields.length !== 1) throw new CommandFormatError('this kind of command has one field');
  return fields[0];
}

function leaves(value: unknown): Leaf[] {
  return pairs(value).map(([at, leaf]) => {
    if (at === ROOT) throw new CommandFormatError('the root has no value of its own');
    return [path(at), text(leaf)];
  });
}

function ruleList(value: unknown): AccessRule[] {
  return pairs(value).map(([at, mode]) => ({ path: path(at), mode: accessMode(mode) }));
}

function accessMode(value: unknown): AccessMode {
  if (value !== 0 && value !== 1) throw new CommandFormatError('an access mode is 0 or 1');
  return value;
}

function featureLevel(value: unknown): number {
  const isLevel = typeof value === 'number' && Number.isInteger(value);
  if (!isLevel || value < FIRST_FEATURE_LEVEL || value > LAST_FEATURE_LEVEL)
    throw new CommandFormatError(`a feature level is ${FIRST_FEATURE_LEVEL} to ${LAST_FEATURE_LEVEL}`);
  return value;
}

function path(value: unknown): string {
  const found = text(value);
  if (canonicalPath(found) !== found)
    throw new CommandFormatError(`not a canonical path: ${JSON.stringify(found)}`);
  return found;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new CommandFormatError('a string is missing');
  // UTF-8 has no lone surrogates: two different strings would become one on disk.
  if (LONE_SURROGATE.test(value)) throw new CommandFormatError('a string is not valid Unicode');
  return value;
}

const LONE_SURROGATE = /\p{Surrogate}/u;

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new CommandFormatError('a list is missing');
  return value;
}

function pairs(value: unknown): (readonly [unknown, unknown])[] {
  const flat = list(value);
  if (flat.length % 2 !== 0) throw new CommandFormatError('a list of pairs has an odd length');
  return Array.from({ length: flat.length / 2 }, (_, pair) => [flat[2 * pair], flat[2 * pair + 1]]);
}
