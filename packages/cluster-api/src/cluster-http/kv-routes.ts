import { type Command, encodeCommand, type StateDatabase, type Version } from '@metad/kv-store';
import { readBody } from '@metad/metad-api';
import { unreachable } from '@metad/raft-core';
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import type { NodeLimits } from '../config/node-config.ts';
import type { CallOutcome } from '../consensus/call.ts';
import { explainCallError } from '../consensus/call-error.ts';
import type { CallRouter } from '../consensus/call-router.ts';
import type { Node } from '../consensus/node.ts';
import { parseKvKey } from './kv-key.ts';
import { readAll } from './read-all.ts';

export interface KvDeps {
  readonly node: Node;
  readonly router: CallRouter;
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

/** The KV API of the source document: a flat view of the tree's own values. */
export function addKvRoutes(app: Hono, deps: KvDeps): void {
  app.post('/write', async (c) => {
    const body = await readBody(c.req.raw, deps.limits.maxBodyBytes);
    if (body.type === 'problem') return writeFailure(c, 413, body.problem.message);
    const request = parseWrite(body.value, deps.limits);
    if ('refusal' in request) return writeFailure(c, request.status, request.refusal);
    const outcome = await deps.router.execute({ type: 'propose', command: encodeCommand(request.command) });
    return writeAnswer(c, outcome);
  });

  app.post('/read', async (c) => {
    const body = await readBody(c.req.raw, deps.limits.maxBodyBytes);
    if (body.type === 'problem') return readFailure(c, 413, body.problem.message);
    const key = parseJson(body.value, READ);
    if ('refusal' in key) return readFailure(c, 400, key.refusal);
    const parsed = parseKvKey(key.value, deps.limits);
    if (parsed.type === 'refused') return readFailure(c, 400, parsed.reason);
    const unavailable = await awaitConsistency(c, deps.node);
    if (unavailable) return readFailure(c, ...unavailable);
    const { value, version } = deps.state.read((view) => ({
      value: view.value('data', parsed.path) ?? '',
      version: view.version(),
    }));
    setVersion(c, version);
    return c.json({ OK: value });
  });

  app.get('/read-all', async (c) => {
    const unavailable = await awaitConsistency(c, deps.node);
    if (unavailable) return readFailure(c, ...unavailable);
    const { version, body } = readAll(deps.state);
    setVersion(c, version);
    return c.body(body, 200, { 'Content-Type': 'application/json' });
  });
}

interface Refusal {
  readonly refusal: string;
  readonly status: 400 | 413;
}

type Parsed<T> = { readonly value: T } | Refusal;

function parseJson<T>(text: string, schema: z.ZodType<T>): Parsed<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return refuse(`invalid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed = schema.safeParse(json);
  return parsed.success
    ? { value: parsed.data }
    : refuse(parsed.error.issues[0]?.message ?? 'invalid request');
}

function refuse(refusal: string): Refusal {
  return { refusal, status: 400 };
}

function parseWrite(text: string, limits: NodeLimits): { readonly command: Command } | Refusal {
  const write = parseJson(text, WRITE);
  if ('refusal' in write) return write;
  const key = parseKvKey('Put' in write.value ? write.value.Put.key : write.value.Del.key, limits);
  if (key.type === 'refused') return refuse(key.reason);
  if ('Del' in write.value) return { command: { type: 'deleteValue', tree: 'data', path: key.path } };
  const { value } = write.value.Put;
  if (!value.isWellFormed()) return refuse('the value is not well-formed Unicode');
  if (Buffer.byteLength(value) > limits.maxValueBytes) {
    return { refusal: `the value is longer than ${limits.maxValueBytes} bytes`, status: 413 };
  }
  return { command: { type: 'merge', tree: 'data', leaves: [[key.path, value]] } };
}

function writeAnswer(c: Context, outcome: CallOutcome): Response {
  switch (outcome.type) {
    case 'done':
      setVersion(c, outcome.version);
      return c.json('OK');
    case 'unknown':
      return writeFailure(c, 504, `${outcome.message}; it may still take effect`);
    case 'refused':
      return writeFailure(c, outcome.error.type === 'tooLarge' ? 413 : 503, explainCallError(outcome.error));
    default:
      return unreachable(outcome);
  }
}

function writeFailure(c: Context, status: 400 | 413 | 503 | 504, reason: string): Response {
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
async function awaitConsistency(c: Context, node: Node): Promise<[400 | 503, string] | null> {
  const consistency = c.req.query('consistency') ?? 'linearizable';
  if (consistency === 'linearizable') {
    const barrier = await node.readBarrier();
    return barrier.type === 'ready' ? null : [503, barrier.message];
  }
  if (consistency !== 'local')
    return [400, `unknown consistency ${JSON.stringify(consistency)}: linearizable or local`];
  return node.state.caughtUp ? null : [503, 'this node has not caught up since its start'];
}
