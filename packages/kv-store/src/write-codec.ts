import { unreachable } from '@metad/raft-core';
import {
  type ContentCommand,
  MAX_AUTHOR_BYTES,
  MAX_KEY_BYTES,
  type Precondition,
  type WriteCommand,
} from './command.ts';
import { CommandFormatError, list, path, text } from './command-fields.ts';
import { contentFields, readContent, TREES } from './content-codec.ts';
import type { Plain } from './message-pack.ts';
import { type Version, version } from './version.ts';

const CONDITION = { unchangedSince: 1, absent: 2, present: 3, equals: 4 } as const;

/** All of a write but its time: lists of strings and small integers. */
export function writeFields(write: WriteCommand): Plain[] {
  return [write.author, write.idempotencyKey, ...contentOf(write)];
}

/** What is asked for, whoever asks and when: equal requests have equal content. */
export function contentOf({ preconditions, operations }: WriteCommand): [Plain[][], Plain[][]] {
  return [preconditions.map(conditionFields), operations.map(contentFields)];
}

/** Throws a CommandFormatError unless `writeFields` could have made the fields of a write at that time. */
export function readWrite(time: number, value: unknown): WriteCommand {
  const [author, key, preconditions, operations, ...rest] = list(value);
  if (rest.length > 0) throw new CommandFormatError('a write has four fields');
  if (!Number.isSafeInteger(time) || time < 0) throw new CommandFormatError(`not a time: ${time}`);
  return {
    type: 'write',
    time,
    author: readAuthor(author),
    idempotencyKey: readKey(key),
    preconditions: list(preconditions).map(readCondition),
    operations: list(operations).map(readOperation),
  };
}

function conditionFields(condition: Precondition): Plain[] {
  const fields = [CONDITION[condition.type], TREES.indexOf(condition.tree), condition.path];
  switch (condition.type) {
    case 'unchangedSince':
      return [...fields, String(condition.version)];
    case 'equals':
      return [...fields, condition.value];
    case 'absent':
    case 'present':
      return fields;
    default:
      return unreachable(condition);
  }
}

function readCondition(value: unknown): Precondition {
  const [type, at, where, ...rest] = list(value);
  const tree = typeof at === 'number' ? TREES[at] : undefined;
  if (tree === undefined) throw new CommandFormatError('a precondition names no tree');
  const place = { tree, path: path(where) };
  if (type === CONDITION.unchangedSince && rest.length === 1)
    return { type: 'unchangedSince', ...place, version: readVersion(rest[0]) };
  if (type === CONDITION.absent && rest.length === 0) return { type: 'absent', ...place };
  if (type === CONDITION.present && rest.length === 0) return { type: 'present', ...place };
  if (type === CONDITION.equals && rest.length === 1)
    return { type: 'equals', ...place, value: text(rest[0]) };
  throw new CommandFormatError('unknown kind of precondition');
}

function readOperation(value: unknown): ContentCommand {
  const command = readContent(value);
  if (command.type === 'setFeatureLevel')
    throw new CommandFormatError('a write does not raise the feature level');
  return command;
}

function readAuthor(value: unknown): string {
  const author = text(value);
  if (author.length > MAX_AUTHOR_BYTES || Buffer.byteLength(author) > MAX_AUTHOR_BYTES)
    throw new CommandFormatError(`an author is longer than ${MAX_AUTHOR_BYTES} bytes`);
  return author;
}

function readKey(value: unknown): string {
  if (value === '') return value;
  if (!isIdempotencyKey(value))
    throw new CommandFormatError(`an idempotency key is 1 to ${MAX_KEY_BYTES} visible ASCII characters`);
  return value;
}

/** Whether a client may give this for a key: 1 to `MAX_KEY_BYTES` visible ASCII characters. */
export function isIdempotencyKey(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_KEY_BYTES && VISIBLE_ASCII.test(value);
}

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** Decimal digits: integers beyond 127 have more than one form in MessagePack. */
function readVersion(value: unknown): Version {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0 || String(number) !== value)
    throw new CommandFormatError('not a version');
  return version(number);
}
