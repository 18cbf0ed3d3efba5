import type { StateDatabase, Version } from '@metad/kv-store';
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import type { Node } from '../consensus/node.ts';
import { readJsonRequest, readText } from './json-request.ts';
import { parseKvKey } from './kv-key.ts';
import { peerAddress } from './peer-address.ts';
import { ReadAll } from './read-all.ts';
import { bodyOf } from './request-body.ts';
import { answerWrite, type Fields, reasonFields, versionFields, type WriteDeps } from './write-answer.ts';

export interface KvDeps extends WriteDeps {
  readonly node: Pick<Node, 'readBarrier' | 'state'>;
  readonly state: StateDatabase;
}

const READ = z.string('expected a key as a JSON string');

/** The KV API: a flat view of the tree's own values. */
export function addKvRoutes(app: Hono, deps: KvDeps): void {
  const { limits, state } = deps;
  const readAll = new ReadAll(state);

  // Mostly taken by the write door already.
  app.post('/write', async (c) => {
    const startedAt = performance.now();
    const body = await readText(bodyOf(c), limits.maxBodyBytes);
    const {
      status,
      fields,
      body: text,
    } = await answerWrite(
      { body, author: peerAddress(c), key: c.req.header('Idempotency-Key'), startedAt },
      deps,
    );
    setFields(c, fields);
    return c.body(text, status, { 'Content-Type': 'application/json' });
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

function readFailure(c: Context, status: 400 | 413 | 503, message: string): Response {
  setFields(c, reasonFields(status, message));
  return c.json({ err: { code: status, message } }, status);
}

function setVersion(c: Context, version: Version): void {
  setFields(c, versionFields(version));
}

function setFields(c: Context, fields: Fields): void {
  for (let i = 0; i + 1 < fields.length; i += 2) c.header(fields[i] ?? '', fields[i + 1]);
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
