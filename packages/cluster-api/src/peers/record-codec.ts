import {
  type Entry,
  type LogId,
  type LogIndex,
  logIndex,
  type Membership,
  NO_NODE,
  type NodeId,
  type NodeRecord,
  nextIndex,
  nodeId,
  type Payload,
  term,
  unreachable,
} from '@metad/raft-core';
import { WireError, type WireReader } from './wire-reader.ts';

/** Reads `array()`'s count and then as many values. */
export function readList<T>(reader: WireReader, readOne: () => T): T[] {
  const length = reader.array();
  const list: T[] = [];
  for (let i = 0; i < length; i += 1) list.push(readOne());
  return list;
}

export function readNodeId(reader: WireReader): NodeId {
  const value = reader.integer();
  if (value === 0) throw new WireError('a node id must be positive');
  return nodeId(value);
}

/** A log id travels as `[term, leader, index]`. */
export function writeLogId(id: LogId): unknown[] {
  return [id.term, id.leader, id.index];
}

export function readLogId(reader: WireReader): LogId {
  reader.tuple(3);
  return { term: term(reader.integer()), leader: readLeader(reader), index: logIndex(reader.integer()) };
}

/** Entries travel as `[term, leader, payload]`: they follow one another, so their indexes need not. */
export function writeEntries(entries: readonly Entry[]): unknown[] {
  return entries.map((entry) => [entry.term, entry.leader, writePayload(entry.payload)]);
}

/** The entries just behind `previous`; terms never fall along a log (paper §5.3). */
export function readEntries(reader: WireReader, previous: LogId): Entry[] {
  let last = previous;
  return readList(reader, () => {
    reader.tuple(3);
    const entry: Entry = {
      term: term(reader.integer()),
      leader: readLeader(reader),
      index: nextSafeIndex(last),
      payload: readPayload(reader),
    };
    if (entry.term < last.term) throw new WireError(`the terms fall at index ${entry.index}`);
    last = entry;
    return entry;
  });
}

/** A membership travels in the form in which it is shown: `{configs, nodes: {id: {addr, instance?}}}`. */
export function writeMembership(membership: Membership): unknown {
  return { configs: membership.configs, nodes: Object.fromEntries(membership.nodes) };
}

export function readMembership(reader: WireReader): Membership {
  let configs: NodeId[][] | undefined;
  let nodes: Map<NodeId, NodeRecord> | undefined;
  for (let fields = reader.map(); fields > 0; fields -= 1) {
    const name = reader.string();
    if (name === 'configs' && !configs)
      configs = readList(reader, () => readList(reader, () => readNodeId(reader)));
    else if (name === 'nodes' && !nodes) nodes = readNodes(reader);
    else throw new WireError(`a membership has a field that is unknown or doubled: ${name.slice(0, 40)}`);
  }
  if (!configs || !nodes) throw new WireError('a membership lacks its configs or its nodes');
  return { configs, nodes };
}

/** Never less than what {@link writeMembership} takes; UTF-8 takes at most three bytes for a UTF-16 unit. */
export function membershipBytesAtMost(membership: Membership): number {
  let bytes = 64;
  for (const config of membership.configs) bytes += 8 + 9 * config.length;
  for (const { addr, instance = '' } of membership.nodes.values())
    bytes += 64 + 3 * (addr.length + instance.length);
  return bytes;
}

function readNodes(reader: WireReader): Map<NodeId, NodeRecord> {
  const nodes = new Map<NodeId, NodeRecord>();
  for (let pairs = reader.map(); pairs > 0; pairs -= 1) {
    const id = parseNodeId(reader.string());
    if (nodes.has(id)) throw new WireError(`a membership names node ${id} twice`);
    nodes.set(id, readNodeRecord(reader));
  }
  return nodes;
}

function readNodeRecord(reader: WireReader): NodeRecord {
  let addr: string | undefined;
  let instance: string | undefined;
  for (let fields = reader.map(); fields > 0; fields -= 1) {
    const name = reader.string();
    if (name === 'addr' && addr === undefined) addr = reader.string();
    else if (name === 'instance' && instance === undefined) instance = reader.string();
    else throw new WireError(`a node record has a field that is unknown or doubled: ${name.slice(0, 40)}`);
  }
  if (addr === undefined) throw new WireError('a node record lacks its addr');
  return instance === undefined ? { addr } : { addr, instance };
}

/** As a node id, but 0 stands for "no node" in a log id without an entry. */
function readLeader(reader: WireReader): NodeId {
  const value = reader.integer();
  return value === 0 ? NO_NODE : nodeId(value);
}

function nextSafeIndex(last: LogId): LogIndex {
  if (last.index === Number.MAX_SAFE_INTEGER) throw new WireError('an index is beyond the safe integers');
  return nextIndex(last.index);
}

/** The keys of a msgpack map written from an object are strings: only the one form that we write is read. */
function parseNodeId(text: string): NodeId {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || String(value) !== text) {
    throw new WireError(`not a node id: ${text.slice(0, 40)}`);
  }
  return nodeId(value);
}

/** A payload travels as `[kind, content]`, a blank as `[kind]`. */
function writePayload(payload: Payload): unknown {
  switch (payload.type) {
    case 'command':
      return [COMMAND, payload.data];
    case 'membership':
      return [MEMBERSHIP, writeMembership(payload.membership)];
    case 'blank':
      return [BLANK];
    default:
      return unreachable(payload);
  }
}

function readPayload(reader: WireReader): Payload {
  const fields = reader.array();
  const kind = fields > 0 ? reader.integer() : -1;
  if (kind === COMMAND && fields === 2) return { type: 'command', data: reader.binary() };
  if (kind === MEMBERSHIP && fields === 2) return { type: 'membership', membership: readMembership(reader) };
  if (kind === BLANK && fields === 1) return { type: 'blank' };
  throw new WireError(`unknown payload ${kind} of ${fields} fields`);
}

const BLANK = 0;
const COMMAND = 1;
const MEMBERSHIP = 2;
