import { crc32 } from 'node:zlib';
import {
  type Entry,
  type LogId,
  logIndex,
  type Membership,
  type NodeId,
  type NodeRecord,
  nodeId,
  type Payload,
  term,
  unreachable,
} from '@metad/raft-core';

/** A membership as plain data: what stands in files, as JSON. */
interface PlainMembership {
  readonly configs: readonly (readonly number[])[];
  readonly nodes: { readonly [id: string]: { readonly addr: string; readonly instance?: string } };
}

/** Rows that are no entry, or hold no membership: from a damaged file. */
export class EntryFormatError extends Error {
  override readonly name = 'EntryFormatError';
}

/** One entry as a row of log.db, in the order of its columns. */
export type EntryRow = readonly [
  idx: number,
  term: number,
  leader: number,
  type: number,
  payload: Uint8Array,
  checksum: number,
];

const EMPTY = new Uint8Array(0);

/** The number of each payload type on disk and in the digest. */
export const PAYLOAD_TYPE = { blank: 0, command: 1, membership: 2 } as const;

/** Equal memberships give equal objects, member order included. */
export function encodeMembership(membership: Membership): PlainMembership {
  const nodes: Record<string, NodeRecord> = {};
  // Integer keys of an object iterate in ascending order, whatever the order in which they were set.
  for (const [id, { addr, instance }] of membership.nodes) {
    nodes[id] = instance === undefined ? { addr } : { addr, instance };
  }
  return { configs: membership.configs.map((config) => [...config]), nodes };
}

/** Throws an EntryFormatError unless `value` is a well-formed membership. */
export function decodeMembership(value: unknown): Membership {
  if (!isObject(value) || !Array.isArray(value.configs) || !isObject(value.nodes)) {
    throw new EntryFormatError('a membership has configs and nodes');
  }
  const nodes = new Map<NodeId, NodeRecord>();
  for (const [key, record] of Object.entries(value.nodes)) {
    const id = decodeNodeId(Number(key));
    if (String(id) !== key) throw new EntryFormatError(`not a node id: ${key}`);
    nodes.set(id, decodeNode(record));
  }
  const configs = value.configs.map((config: unknown) => decodeConfig(config, nodes));
  if (configs.length > 2)
    throw new EntryFormatError(`a membership has at most 2 configs, not ${configs.length}`);
  return { configs, nodes };
}

function decodeConfig(value: unknown, nodes: ReadonlyMap<NodeId, NodeRecord>): NodeId[] {
  if (!Array.isArray(value)) throw new EntryFormatError('a config is a list of node ids');
  const ids = value.map(decodeNodeId);
  if (new Set(ids).size !== ids.length) throw new EntryFormatError('a config names a node twice');
  const unknown = ids.find((id) => !nodes.has(id));
  if (unknown !== undefined)
    throw new EntryFormatError(`a config names node ${unknown}, which nodes does not`);
  return ids;
}

function decodeNodeId(value: unknown): NodeId {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw new EntryFormatError(`not a node id: ${String(value)}`);
  }
  return nodeId(value);
}

function decodeNode(value: unknown): NodeRecord {
  if (!isObject(value) || typeof value.addr !== 'string') throw new EntryFormatError('a node has an addr');
  if (value.instance === undefined) return { addr: value.addr };
  if (typeof value.instance !== 'string') throw new EntryFormatError("a node's instance is a string");
  return { addr: value.addr, instance: value.instance };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The bytes that stand for a payload on disk and in the digest; equal payloads give equal bytes. */
export function encodePayload(payload: Payload): Uint8Array {
  switch (payload.type) {
    case 'command':
      return payload.data;
    case 'membership':
      return Buffer.from(JSON.stringify(encodeMembership(payload.membership)));
    case 'blank':
      return EMPTY;
    default:
      return unreachable(payload);
  }
}

function decodePayload(type: number, bytes: Uint8Array): Payload {
  switch (type) {
    case PAYLOAD_TYPE.command:
      return { type: 'command', data: bytes };
    case PAYLOAD_TYPE.membership:
      return { type: 'membership', membership: decodeMembership(JSON.parse(Buffer.from(bytes).toString())) };
    case PAYLOAD_TYPE.blank:
      return { type: 'blank' };
    default:
      throw new EntryFormatError(`unknown payload type ${type}`);
  }
}

export function encodeEntry(entry: Entry): EntryRow {
  const type = PAYLOAD_TYPE[entry.payload.type];
  const bytes = encodePayload(entry.payload);
  return [entry.index, entry.term, entry.leader, type, bytes, checksumOf(entry, type, bytes)];
}

/** Throws an EntryFormatError when the row is not what `encodeEntry` made. */
export function decodeEntry([idx, entryTerm, leader, type, bytes, checksum]: EntryRow): Entry {
  const id = { term: term(entryTerm), leader: nodeId(leader), index: logIndex(idx) };
  if (checksumOf(id, type, bytes) !== checksum) throw new EntryFormatError('its checksum does not match');
  return { ...id, payload: decodePayload(type, bytes) };
}

/** The fixed-size part of an entry, before its payload, where entries are hashed. Overwritten by the next call. */
export function encodeHeader(id: LogId, type: number): Uint8Array {
  header.writeDoubleBE(id.term, 0);
  header.writeDoubleBE(id.leader, 8);
  header.writeDoubleBE(id.index, 16);
  header.writeUInt8(type, 24);
  return header;
}

const header = Buffer.alloc(25);

function checksumOf(id: LogId, type: number, bytes: Uint8Array): number {
  // The payload first: over no bytes, zlib may forget the checksum that it should go on from.
  return crc32(encodeHeader(id, type), crc32(bytes));
}
