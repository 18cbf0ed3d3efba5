import http from 'node:http';

/** One request on a connection of its own, so that no test depends on what an earlier one left open. */
export interface Request {
  readonly port: number;
  readonly path: string;
  readonly method?: string | undefined;
  readonly headers?: http.OutgoingHttpHeaders | undefined;
  readonly body?: string | Buffer | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called once the whole request is in the kernel's hands. */
  readonly onSent?: (() => void) | undefined;
}

export interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** As spelled on the wire. */
  readonly headerNames: readonly string[];
  readonly text: string;
}

const REPLY_TIMEOUT_MS = 30_000;

/** Rejects when there is no whole answer: connection refused or cut, or nothing for `timeoutMs`. */
export function send(request: Request): Promise<Reply> {
  const { port, path, method = 'GET', headers = {}, body, timeoutMs = REPLY_TIMEOUT_MS, signal } = request;
  const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: { ...headers, ...length },
      agent: false,
    };
    const outgoing = http.request({ ...options, ...(signal && { signal }) }, (incoming) => {
      collect(incoming).then(resolve, reject);
    });
    outgoing.setTimeout(timeoutMs, () => {
      outgoing.destroy(new Error(`${method} ${path} on port ${port}: no answer within ${timeoutMs} ms`));
    });
    outgoing.on('error', reject);
    if (request.onSent) outgoing.on('finish', request.onSent);
    outgoing.end(body);
  });
}

async function collect(incoming: http.IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    headerNames: incoming.rawHeaders.filter((_, index) => index % 2 === 0),
    text: Buffer.concat(chunks).toString('utf8'),
  };
}

/** The body as a document. Throws with the status and the body when it is no JSON. */
export function json(reply: Reply): unknown {
  try {
    return JSON.parse(reply.text);
  } catch (cause) {
    throw new Error(`not JSON: ${reply.status} ${reply.text.slice(0, 300)}`, { cause });
  }
}

/** The state's version that an answer carries. Throws when it carries none. */
export function versionOf(reply: Reply): number {
  const value = reply.headers['x-metad-version'];
  if (typeof value !== 'string' || !/^\d+$/.test(value)) {
    throw new Error(`no X-Metad-Version in the answer ${reply.status} ${reply.text.slice(0, 300)}`);
  }
  return Number(value);
}
