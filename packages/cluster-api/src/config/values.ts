import { resolve } from 'node:path';
import { type NodeId, nodeId } from '@metad/raft-core';
import { z } from 'zod';
import { formatAddress, isAddressRange, isWildcard, type ListenAddress, parseAddress } from './address.ts';

/**
 * A value as it was written. Flags and variables give text; the file may spell lists and maps out. Nothing is guessed
 * from the look of a text, so a token of digits stays the text that it is.
 */
export type RawValue = string | readonly string[] | Readonly<Record<string, string>>;

/** Carries what would have been right out of a nested parser; never leaves this file. */
class Rejection extends Error {}

/** Ends the parsing of a value; `message` says what would have been right. */
function reject(message: string): never {
  throw new Rejection(message);
}

/** Runs `parse` on what `schema` lets through; what it rejects becomes an issue of the schema. */
function parsed<Raw, T>(schema: z.ZodType<Raw>, parse: (raw: Raw) => T) {
  return schema.transform((raw, context): T => {
    try {
      return parse(raw);
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });
}

function text<T>(parse: (text: string) => T) {
  return parsed(z.string('expected a single value'), parse);
}

/** Values separated by commas, or a list in the file. */
function list<T>(allowed: string, parseOne: (text: string) => T) {
  const items = z.union([z.string(), z.array(z.string())], `expected ${allowed}`);
  return parsed(items, (raw): readonly T[] =>
    (typeof raw === 'string' ? raw.split(',') : raw).map((item) => parseOne(item.trim())),
  );
}

export function integer({ min, max }: { readonly min: number; readonly max: number }) {
  return text((raw) => {
    const value = /^\d{1,16}$/.test(raw) ? Number(raw) : Number.NaN;
    return value >= min && value <= max ? value : reject(`expected an integer from ${min} to ${max}`);
  });
}

/** A positive integer that names this node. */
export function identifier() {
  return text((raw) => parseNodeId(raw) ?? reject('expected a positive integer'));
}

export function flag() {
  return text((raw) => {
    if (raw === 'true') return true;
    return raw === 'false' ? false : reject('expected true or false');
  });
}

/** One of a few words; an alias stands for one of them. */
export function choice<T extends string>(values: readonly T[], aliases: ReadonlyMap<string, T> = new Map()) {
  return text((raw): T => {
    const value = values.find((candidate) => candidate === raw) ?? aliases.get(raw);
    return value ?? reject(`expected one of ${values.join(', ')}`);
  });
}

/** A file or directory, as an absolute path; what is relative starts from the working directory. */
export function path() {
  return text((raw) => (raw === '' ? reject('expected a path') : resolve(raw)));
}

/** A secret. It travels in HTTP headers, so it is kept to what they carry unchanged. */
export function token() {
  return text((raw) => (isToken(raw) ? raw : reject(`expected ${TOKEN_FORM}`)));
}

export const TOKEN_FORM = 'a token of 1 to 1024 visible ASCII characters without blanks';

export function isToken(value: string): boolean {
  return /^[\x21-\x7e]{1,1024}$/.test(value);
}

const MS_PER: Readonly<Record<string, number>> = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A time in milliseconds, written `250`, `250ms`, `2s` or `10m`. Bounds are in milliseconds. */
export function duration({ min, max }: { readonly min: number; readonly max: number }) {
  const allowed = `expected a time from ${formatMs(min)} to ${formatMs(max)}, such as 250ms, 5s or 10m`;
  return text((raw) => {
    const value = scaled(raw, /^(\d{1,12})(ms|s|m|h|)$/, MS_PER);
    return value >= min && value <= max ? value : reject(allowed);
  });
}

const BYTES_PER: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** A number of bytes, written `4096`, `4KiB` or `1MiB`. Bounds are in bytes. */
export function size({ min, max }: { readonly min: number; readonly max: number }) {
  const allowed = `expected a size from ${formatBytes(min)} to ${formatBytes(max)}, such as 4096, 64KiB or 8MiB`;
  return text((raw) => {
    const value = scaled(raw, /^(\d{1,12})(KiB|MiB|GiB|)$/, BYTES_PER);
    return value >= min && value <= max ? value : reject(allowed);
  });
}

/** Where to listen: `HOST:PORT` or `:PORT`. */
export function listenAddress() {
  return text(
    (raw): ListenAddress =>
      parseAddress(raw) ?? reject('expected HOST:PORT, [IPV6]:PORT, or :PORT for every interface'),
  );
}

/** Where another node can be reached. */
export function nodeAddress() {
  return text(parseNodeAddress);
}

export function nodeAddresses() {
  return list('addresses separated by commas', parseNodeAddress);
}

export function addressRanges() {
  return list('IP addresses separated by commas', (item) =>
    isAddressRange(item) ? item : reject('expected IP addresses or ranges such as 10.0.0.0/8'),
  );
}

const MEMBERS_FORM = 'ID=HOST:PORT for each node, separated by commas';

/** The members of a new cluster: `1=HOST:PORT,2=HOST:PORT`, or a map in the file. */
export function members() {
  const forms = z.union([z.string(), z.record(z.string(), z.string())], `expected ${MEMBERS_FORM}`);
  return parsed(forms, (raw) =>
    membersFrom(typeof raw === 'string' ? raw.split(',').map(splitMember) : Object.entries(raw)),
  );
}

function membersFrom(pairs: readonly (readonly [string, string])[]): ReadonlyMap<NodeId, string> {
  const members = new Map<NodeId, string>();
  const addresses = new Set<string>();
  for (const [rawId, rawAddress] of pairs) {
    const id = parseNodeId(rawId) ?? reject(`expected ${MEMBERS_FORM}`);
    const address = parseNodeAddress(rawAddress);
    if (members.has(id)) reject(`expected each id once, ${id} is there twice`);
    if (addresses.has(address)) reject(`expected another address for each node, ${address} is there twice`);
    members.set(id, address);
    addresses.add(address);
  }
  return members;
}

function splitMember(pair: string): readonly [string, string] {
  const equals = pair.indexOf('=');
  return equals < 0 ? ['', pair] : [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()];
}

function parseNodeId(raw: string): NodeId | null {
  const value = /^\d{1,16}$/.test(raw) ? Number(raw) : 0;
  return Number.isSafeInteger(value) && value > 0 ? nodeId(value) : null;
}

function parseNodeAddress(raw: string): string {
  const address = parseAddress(raw);
  if (address === null || address.port === 0) return reject('expected HOST:PORT or [IPV6]:PORT');
  if (isWildcard(address)) return reject('expected an address that other nodes can reach, not a wildcard');
  return formatAddress(address);
}

function scaled(raw: string, form: RegExp, scale: Readonly<Record<string, number>>): number {
  const [, digits, unit = ''] = form.exec(raw) ?? [];
  return digits === undefined ? Number.NaN : Number(digits) * (scale[unit] ?? Number.NaN);
}

export function formatMs(ms: number): string {
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms >= 1000 && ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

function formatBytes(bytes: number): string {
  if (bytes >= 1024 ** 2 && bytes % 1024 ** 2 === 0) return `${bytes / 1024 ** 2}MiB`;
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024}KiB` : `${bytes} bytes`;
}
