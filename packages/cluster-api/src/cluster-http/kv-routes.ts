import {
  type ContentCommand,
  encodeCommand,
  type StateDatabase,
  type Version,
  type WriteResult,
  writeOf,
} from '@metad/kv-store';
import { unreachable } from '@metad/raft-core';
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import type { NodeLimits } from '../config/node-config.ts';
import type { CallError, CallOutcome } from '../consensus/call.ts';
import { explainCallError } from '../consensus/call-error.ts';
import type { CallRouter } from '../consensus/call-router.ts';
import type { Node } from '../consensus/node.ts';
import { type JsonRequest, readJsonRequest, refuse } from './json-request.ts';
import { parseKvKey } from './kv-key.ts';
import { peerAddress } from './peer-address.ts';
import { ReadAll } from './read-all.ts';

export interface KvDeps {
  readonly node: Pick<Node, 'readBarrier' | 'state'>;
  readonly router: Pick<CallRouter, 'execute'>;
  readonly state: StateDatabase;
  readonly limits: NodeLimits;
}

const WRITE = z.union(
  [
    z.strictObject({ Put: z.strictObject({ key: z.string(), value: z.string() }) }),
    z.strictObject({ Del: z.strictObject({ key: z.string() }) }),
  ],
  'expected {"Put":{"key":…,"value":…}} or {"Del":{"key":…}} with strings',
);
const READ = z.string('expected a key as a JSON string');

/** The KV API: a flat view of the tree's own values. */
export function addKvRoutes(app: Hono, deps: KvDeps): void {
  const { limits, state } = deps;
  const readAll = new ReadAll(state);

  app.post('/write', async (c) => {
    const write = await readJsonRequest(c, WRITE, limits);
    const request = write.type === 'ok' ? operationOf(write.value, limits) : write;
    if (request.type === 'refused') return writeFailure(c, request.status, request.reason);
    const command = encodeCommand(writeOf([request.value], { author: peerAddress(c) }));
    const outcome = await deps.router.execute({ type: 'propose', command });
    return writeAnswer(c, outcome);
  });

  app.post('/read', async (c) => {
    const key = await readJsonRequest(c, READ, limits);
    const path = key.type === 'ok' ? parseKvKey(key.value, limits) : key;
    if (path.type === 'refused') return readFailure(c, path.status, path.reason);
    const unavailable = await awaitConsistency(c, deps.node);
    if (unavailable) return readFailure(c, ...unavailable);
    const { value, version } = state.read((view) => ({
      value: view.value('data', path.value) ?? '',
      version: view.version(),
    }));
    setVersion(c, version);
    return c.json({ OK: value });
  });

  app.get('/read-all', async (c) => {
    const unavailable = await awaitConsistency(c, deps.node);
    if (unavailable) return readFailure(c, ...unavailable);
    if (c.req.method === 'HEAD') {
      setVersion(
        c,
        state.read((view) => view.version()),
      );
      return c.body(null, 200, { 'Content-Type': 'application/json' });
    }
    const all = readAll.open();
    if (all === null) return readFailure(c, 503, 'too many clients read everything at once');
    setVersion(c, all.version);
    return c.body(all.body, 200, { 'Content-Type': 'application/json' });
  });
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

function writeAnswer(c: Context, outcome: CallOutcome): Response {
  switch (outcome.type) {
    case 'done':
      return resultAnswer(c, outcome.result);
    case 'unknown':
      return writeFailure(c, 504, `${outcome.message}; it may still take effect`);
    case 'refused':
      return writeFailure(c, refusalStatus(outcome.error), explainCallError(outcome.error));
    default:
      return unreachable(outcome);
  }
}

function resultAnswer(c: Context, result: WriteResult): Response {
  setVersion(c, result.version);
  switch (result.type) {
    case 'applied':
      return c.json('OK');
    case 'repeated':
      c.header('Idempotency-Replayed', 'true');
      return c.json('OK');
    case 'keyReused':
      return writeFailure(c, 422, 'another request had this Idempotency-Key');
    case 'preconditionFailed':
      return writeFailure(c, 412, 'the precondition does not hold');
    default:
      return unreachable(result);
  }
}

function refusalStatus({ type }: CallError): 413 | 503 | 507 {
  if (type === 'tooLarge') return 413;
  return type === 'stateFull' ? 507 : 503;
}

function writeFailure(c: Context, status: 400 | 412 | 413 | 422 | 503 | 504 | 507, reason: string): Response {
  setReason(c, status, reason);
  return c.json('Err', status);
}

function readFailure(c: Context, status: 400 | 413 | 503, message: string): Response {
  setReason(c, status, message);
  return c.json({ err: { code: status, message } }, status);
}

function setReason(c: Context, status: number, reason: string): void {
  // A header holds one line of ASCII; what a client sent is quoted in its reason.
  c.header('X-Metad-Error', reason.replace(/[^\x20-\x7e]/g, '?'));
  if (status === 503) c.header('Retry-After', '1');
}

function setVersion(c: Context, version: Version): void {
  c.header('X-Metad-Version', String(version));
}

/** Why the read can't be served now; null when it can. */
async function awaitConsistency(c: Context, node: KvDeps['node']): Promise<[400 | 503, string] | null> {
  const consistency = c.req.query('consistency') ?? 'linearizable';
  if (consistency === 'linearizable') {
    const barrier = await node.readBarrier();
    return barrier.type === 'ready' ? null : [503, barrier.message];
  }
  if (consistency !== 'local')
    return [400, `unknown consistency ${JSON.stringify(consistency)}: linearizable or local`];
  return node.state.caughtUp ? null : [503, 'this node has not caught up since its start'];
}
