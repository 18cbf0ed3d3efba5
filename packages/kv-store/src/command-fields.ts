import { isCanonicalPath } from './path.ts';

/** Bytes that are no command. */
export class CommandFormatError extends Error {
  override readonly name = 'CommandFormatError';
}

/*
 * The parts of commands, each read from what MessagePack or the encoder made of it. Each throws a CommandFormatError.
 */

export function path(value: unknown): string {
  const found = text(value);
  if (!isCanonicalPath(found)) throw new CommandFormatError(`not a canonical path: ${JSON.stringify(found)}`);
  return found;
}

export function text(value: unknown): string {
  if (typeof value !== 'string') throw new CommandFormatError('a string is missing');
  // UTF-8 has no lone surrogates: two different strings would become one on disk.
  if (!value.isWellFormed()) throw new CommandFormatError('a string is not valid Unicode');
  return value;
}

export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new CommandFormatError('a list is missing');
  return value;
}

export function only(fields: readonly unknown[]): unknown {
  if (fields.length !== 1) throw new CommandFormatError('this kind of command has one field');
  return fields[0];
}

/** Reads a flat list of pairs. */
export function pairs<T>(value: unknown, read: (first: unknown, second: unknown) => T): T[] {
  const flat = list(value);
  if (flat.length % 2 !== 0) throw new CommandFormatError('a list of pairs has an odd length');
  const found: T[] = [];
  for (let at = 0; at < flat.length; at += 2) found.push(read(flat[at], flat[at + 1]));
  return found;
}
