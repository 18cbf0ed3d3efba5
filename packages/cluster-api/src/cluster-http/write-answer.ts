import {
  type ContentCommand,
  encodeCommand,
  isIdempotencyKey,
  type Version,
  type WriteResult,
  writeOf,
} from '@metad/kv-store';
import { parseJsonBody } from '@metad/metad-api';
import { unreachable } from '@metad/raft-core';
import { z } from 'zod';
import type { NodeLimits } from '../config/node-config.ts';
import type { CallError, CallOutcome } from '../consensus/call.ts';
import { explainCallError } from '../consensus/call-error.ts';
import type { CallRouter } from '../consensus/call-router.ts';
import type { WriteTrace } from '../consensus/write-trace.ts';
import { checkJson, type JsonRequest, refuse } from './json-request.ts';
import { parseKvKey } from './kv-key.ts';

export interface WriteDeps {
  readonly router: Pick<CallRouter, 'execute'>;
  readonly trace: Pick<WriteTrace, 'begin' | 'answered'>;
  readonly limits: NodeLimits;
}

/** `POST /write`, through whichever door it came in. */
export interface WriteRequest {
  /** The whole body, or why it was not read. */
  readonly body: JsonRequest<string>;
  /** Who asks: an address, or empty. */
  readonly author: string;
  /** The header `Idempotency-Key`. */
  readonly key: string | undefined;
  /** When it came, by `performance.now`. */
  readonly startedAt: number;
}

export interface WriteAnswer {
  readonly status: 200 | 400 | 412 | 413 | 422 | 503 | 504 | 507;
  readonly fields: Fields;
  /** JSON. */
  readonly body: '"OK"' | '"Err"';
}

const WRITE = z.union(
  [
    z.strictObject({ Put: z.strictObject({ key: z.string(), value: z.string() }) }),
    z.strictObject({ Del: z.strictObject({ key: z.string() }) }),
  ],
  'expected {"Put":{"key":"...","value":"..."}} or {"Del":{"key":"..."}}',
);

/** Headers of an answer: names and values by turns, as `node:http` takes them without a copy. */
export type Fields = readonly string[];

/** Carries out one write of the KV API. */
export async function answerWrite(request: WriteRequest, deps: WriteDeps): Promise<WriteAnswer> {
  const operation = readOperation(request, deps.limits);
  if (operation.type === 'refused') return failed(operation.status, operation.reason);
  const { author, key } = request;
  if (key !== undefined && !isIdempotencyKey(key)) {
    return failed(400, 'an Idempotency-Key is 1 to 255 visible ASCII characters');
  }
  const command = encodeCommand(writeOf([operation.value], { author, idempotencyKey: key ?? '' }));
  deps.trace.begin(command, { stage: 'http', since: request.startedAt });
  const outcome = await deps.router.execute({ type: 'propose', command });
  deps.trace.answered(command);
  return answerOf(outcome);
}

function readOperation({ body }: WriteRequest, limits: NodeLimits): JsonRequest<ContentCommand> {
  if (body.type === 'refused') return body;
  const json = parseJsonBody(body.value);
  if (json.type === 'problem') return refuse(json.problem.message);
  const write = checkJson(json.value, WRITE);
  return write.type === 'ok' ? operationOf(write.value, limits) : write;
}

function operationOf(write: z.infer<typeof WRITE>, limits: NodeLimits): JsonRequest<ContentCommand> {
  const key = parseKvKey('Put' in write ? write.Put.key : write.Del.key, limits);
  if (key.type === 'refused') return key;
  if ('Del' in write) return { type: 'ok', value: { type: 'deleteValue', tree: 'data', path: key.value } };
  const { value } = write.Put;
  if (!value.isWellFormed()) return refuse('the value is not well-formed Unicode');
  if (Buffer.byteLength(value) > limits.maxValueBytes) {
    return refuse(`the value is longer than ${limits.maxValueBytes} bytes`, 413);
  }
  return { type: 'ok', value: { type: 'merge', tree: 'data', leaves: [[key.value, value]] } };
}

function answerOf(outcome: CallOutcome): WriteAnswer {
  switch (outcome.type) {
    case 'done':
      return resultAnswer(outcome.result);
    case 'unknown':
      return failed(504, `${outcome.message}; it may still take effect`);
    case 'refused':
      return failed(refusalStatus(outcome.error), explainCallError(outcome.error));
    default:
      return unreachable(outcome);
  }
}

function resultAnswer(result: WriteResult): WriteAnswer {
  const version = versionFields(result.version);
  switch (result.type) {
    case 'applied':
      return { status: 200, fields: version, body: '"OK"' };
    case 'repeated':
      return { status: 200, fields: [...version, 'Idempotency-Replayed', 'true'], body: '"OK"' };
    case 'keyReused':
      return failed(422, 'another request had this Idempotency-Key: nothing was done', version);
    case 'preconditionFailed':
      return failed(412, 'the precondition does not hold', version);
    default:
      return unreachable(result);
  }
}

function refusalStatus({ type }: CallError): 413 | 503 | 507 {
  if (type === 'tooLarge') return 413;
  return type === 'stateFull' ? 507 : 503;
}

function failed(status: WriteAnswer['status'], reason: string, more: Fields = []): WriteAnswer {
  return { status, fields: [...more, ...reasonFields(status, reason)], body: '"Err"' };
}

/** Why a request failed, beside a body that only says that it did. */
export function reasonFields(status: number, reason: string): Fields {
  // A header holds one line of ASCII; what a client sent is quoted in its reason.
  const said = ['X-Metad-Error', reason.replace(/[^\x20-\x7e]/g, '?')];
  return status === 503 ? [...said, 'Retry-After', '1'] : said;
}

export function versionFields(version: Version): Fields {
  return ['X-Metad-Version', String(version)];
}
