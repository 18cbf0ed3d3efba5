import { version, type WriteResult } from '@metad/kv-store';
import { unreachable } from '@metad/raft-core';
import type { Call, CallError, CallOutcome } from '../consensus/call.ts';
import {
  readList,
  readLogId,
  readMembership,
  readNodeId,
  writeLogId,
  writeMembership,
} from './record-codec.ts';
import { WireError, type WireReader } from './wire-reader.ts';

/** A call travels as `[type, …its fields]`; calls are rare enough to carry their names. */
export function writeCall(call: Call): unknown[] {
  switch (call.type) {
    case 'propose':
      return [call.type, call.command];
    case 'addLearner':
      return [call.type, call.node, call.addr];
    case 'removeLearner':
      return [call.type, call.node];
    case 'changeMembership':
      return [call.type, call.voters];
    case 'transferLeader':
      return [call.type, call.to];
    default:
      return unreachable(call);
  }
}

/** Throws a {@link WireError} unless a whole, well-formed call comes next. */
export function readCall(reader: WireReader): Call {
  const { type, fields } = readType(reader);
  if (type === 'propose' && fields === 1) return { type, command: reader.binary() };
  if (type === 'addLearner' && fields === 2) return { type, node: readNodeId(reader), addr: reader.string() };
  if (type === 'removeLearner' && fields === 1) return { type, node: readNodeId(reader) };
  if (type === 'changeMembership' && fields === 1) {
    return { type, voters: readList(reader, () => readNodeId(reader)) };
  }
  if (type === 'transferLeader' && fields === 1) {
    return { type, to: reader.skipNil() ? null : readNodeId(reader) };
  }
  throw unknown('call', type, fields);
}

/** An outcome travels as `[type, …its fields]`. */
export function writeCallOutcome(outcome: CallOutcome): unknown[] {
  switch (outcome.type) {
    case 'done':
      return [
        outcome.type,
        writeLogId(outcome.logId),
        writeResult(outcome.result),
        writeMembership(outcome.membership),
      ];
    case 'refused':
      return [outcome.type, writeCallError(outcome.error)];
    case 'unknown':
      return [outcome.type, outcome.message];
    default:
      return unreachable(outcome);
  }
}

/** Throws a {@link WireError} unless a whole, well-formed outcome comes next. */
export function readCallOutcome(reader: WireReader): CallOutcome {
  const { type, fields } = readType(reader);
  if (type === 'done' && fields === 3) {
    return {
      type,
      logId: readLogId(reader),
      result: readResult(reader),
      membership: readMembership(reader),
    };
  }
  if (type === 'refused' && fields === 1) return { type, error: readCallError(reader) };
  if (type === 'unknown' && fields === 1) return { type, message: reader.string() };
  throw unknown('call outcome', type, fields);
}

function writeResult(result: WriteResult): unknown[] {
  const fields = [result.type, result.version];
  return result.type === 'preconditionFailed' ? [...fields, result.precondition] : fields;
}

function readResult(reader: WireReader): WriteResult {
  const { type, fields } = readType(reader);
  if (fields === 1 && (type === 'applied' || type === 'repeated' || type === 'keyReused'))
    return { type, version: version(reader.integer()) };
  if (fields === 2 && type === 'preconditionFailed')
    return { type, version: version(reader.integer()), precondition: reader.integer() };
  throw unknown('result', type, fields);
}

function writeCallError(error: CallError): unknown[] {
  switch (error.type) {
    case 'forwardToLeader':
      return [error.type, error.leader];
    case 'overloaded':
    case 'stopping':
    case 'emptyMembership':
      return [error.type];
    case 'tooLarge':
    case 'stateFull':
      return [error.type, error.maxBytes];
    case 'inProgress':
      return [error.type, writeLogId(error.change)];
    case 'learnerNotFound':
      return [error.type, error.node];
    case 'noLink':
    case 'conflict':
    case 'unreachable':
      return [error.type, error.message];
    default:
      return unreachable(error);
  }
}

function readCallError(reader: WireReader): CallError {
  const { type, fields } = readType(reader);
  if (fields === 0 && (type === 'overloaded' || type === 'stopping' || type === 'emptyMembership'))
    return { type };
  if (fields === 1) {
    switch (type) {
      case 'forwardToLeader':
        return { type, leader: reader.skipNil() ? null : readNodeId(reader) };
      case 'tooLarge':
      case 'stateFull':
        return { type, maxBytes: reader.integer() };
      case 'inProgress':
        return { type, change: readLogId(reader) };
      case 'learnerNotFound':
        return { type, node: readNodeId(reader) };
      case 'noLink':
      case 'conflict':
      case 'unreachable':
        return { type, message: reader.string() };
    }
  }
  throw unknown('call error', type, fields);
}

function readType(reader: WireReader): { readonly type: string; readonly fields: number } {
  const fields = reader.array() - 1;
  return { type: reader.string(), fields };
}

function unknown(what: string, type: string, fields: number): WireError {
  return new WireError(`unknown ${what} ${JSON.stringify(type.slice(0, 40))} of ${fields} fields`);
}
