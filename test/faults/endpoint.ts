import { json, type Reply, type Request, send } from '../e2e/http.ts';
import type { Node } from '../e2e/node-set.ts';

/** What a client knows of a write after it has asked for it. */
export type Written = 'ok' | 'failed' | 'unknown';
/** What it knows of a value: null when there is none, undefined when it got no answer. */
export type Seen = string | null | undefined;

/** The address that the readers of the metadata API say they have: it may read everything. */
export const READER_IP = '192.0.2.7';

/** Lets the readers of the metadata API see everything; through a node that serves. */
export async function allowReader({ ports }: Node): Promise<void> {
  const body = JSON.stringify({ [READER_IP]: [{ path: '/', mode: 1 }] });
  const reply = await send({ port: ports.manage, method: 'PUT', path: '/v1/rule', body });
  if (reply.status !== 200) throw new Error(`the rule was not taken: ${reply.status} ${reply.text}`);
}

type Door = (node: Node, key: string) => Pick<Request, 'port' | 'path' | 'method' | 'headers' | 'body'>;

const JSON_HEADERS = { 'Content-Type': 'application/json', Accept: 'application/json' };

/** Puts a value through the KV or the manage API. */
export async function put(door: number, node: Node, key: string, value: string): Promise<Written> {
  return door % 2 === 0
    ? write(
        { port: node.ports.cluster, path: '/write', body: JSON.stringify({ Put: { key, value } }) },
        'POST',
      )
    : write({ port: node.ports.manage, path: `/v1/data/${key}`, body: JSON.stringify(value) }, 'PUT');
}

export function del(node: Node, key: string): Promise<Written> {
  return write({ port: node.ports.cluster, path: '/write', body: JSON.stringify({ Del: { key } }) }, 'POST');
}

/** Reads a value, linearizable, through one of three APIs. */
export async function read(door: number, node: Node, key: string): Promise<Seen> {
  const ask = READ_DOORS[door % READ_DOORS.length] ?? kv;
  try {
    const reply = await send({ ...ask(node, key), timeoutMs: READ_TIMEOUT_MS });
    return seenIn(reply);
  } catch {
    return undefined;
  }
}

/** Long enough for every answer that a node can give; what hangs longer is unknown. */
const WRITE_TIMEOUT_MS = 7_000;
const READ_TIMEOUT_MS = 7_000;

async function write(request: Request, method: string): Promise<Written> {
  try {
    const { status } = await send({ ...request, method, headers: JSON_HEADERS, timeoutMs: WRITE_TIMEOUT_MS });
    if (status === 200) return 'ok';
    // Whoever says 503 promises that nothing has happened, and nothing will.
    return status === 503 ? 'failed' : 'unknown';
  } catch (error) {
    const refused = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
    return refused ? 'failed' : 'unknown';
  }
}

const kv: Door = ({ ports }, key) => ({
  port: ports.cluster,
  path: '/read',
  method: 'POST',
  headers: JSON_HEADERS,
  body: JSON.stringify(key),
});

const manage: Door = ({ ports }, key) => ({
  port: ports.manage,
  path: `/v1/data/${key}`,
  headers: JSON_HEADERS,
});

const metadata: Door = ({ ports }, key) => ({
  port: ports.metadata,
  path: `/${key}?consistency=linearizable`,
  headers: { ...JSON_HEADERS, 'X-Forwarded-For': READER_IP },
});

const READ_DOORS = [kv, manage, metadata];

function seenIn(reply: Reply): Seen {
  if (reply.status === 404) return null;
  if (reply.status !== 200) return undefined;
  const answer = json(reply);
  if (typeof answer === 'string') return answer;
  const { OK } = answer as { OK?: string };
  if (OK === undefined) throw new Error(`not the answer to a read: ${reply.text.slice(0, 300)}`);
  return OK === '' ? null : OK;
}
