import { onTestFinished, vi } from 'vitest';
import { type Answer, wireFormOf } from '../src/http/answer.ts';
import type { ApiRequest } from '../src/http/api-request.ts';
import { REQUEST_ID_HEADER } from '../src/http/header-names.ts';
import { webBody } from '../src/http/read-body.ts';
import { createMetadApps, type MetadApps, type MetadDependencies } from '../src/metad-apps.ts';
import { DEFAULT_METAD_SETTINGS, type MetadSettings } from '../src/settings.ts';
import type { Clock } from '../src/wait/deadlines.ts';
import { InProcessReplica } from './in-process-replica.ts';

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Set<() => void>();

  get timerCount(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  every(_intervalMs: number, run: () => void): () => void {
    this.#timers.add(run);
    return () => this.#timers.delete(run);
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const run of [...this.#timers]) run();
  }
}

export interface Sent {
  readonly client?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly rawBody?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  readonly signal?: AbortSignal;
}

/** Both apps of one node, in this process. */
export class TestNode {
  readonly replica = new InProcessReplica();
  readonly clock = new ManualClock();
  readonly apps: MetadApps;

  constructor(settings: Partial<MetadSettings> = {}, more: Partial<MetadDependencies> = {}) {
    this.apps = createMetadApps({
      replica: this.replica,
      settings: { ...DEFAULT_METAD_SETTINGS, ...settings },
      clock: this.clock,
      ...more,
    });
    onTestFinished(() => {
      this.apps.stop();
      this.replica.close();
    });
  }

  /** `path` goes out as it is, as if it stood on the request line. */
  async metadata(path: string, sent: Sent = {}): Promise<Response> {
    return askMetadata(this.apps, path, sent);
  }

  async manage(method: string, path: string, body?: unknown, sent: Sent = {}): Promise<Response> {
    return askManage(this.apps, path, { ...sent, method, body });
  }

  /** Writes something that must succeed; resolves to the version of the answer. */
  async write(method: string, path: string, body?: unknown): Promise<number> {
    const response = await this.manage(method, path, body);
    if (response.status !== 200) throw new Error(`${method} ${path}: ${await response.text()}`);
    return versionOf(response);
  }

  /** Gives a client rules: the paths that it may read. */
  async allow(client: string, ...paths: string[]): Promise<number> {
    return this.write('POST', '/v1/rule', { [client]: paths.map((path) => ({ path, mode: 1 })) });
  }

  async json(path: string, client?: string): Promise<unknown> {
    const sent = { headers: JSON_TYPE, ...(client === undefined ? {} : { client }) };
    return (await this.metadata(path, sent)).json();
  }

  /** Sends a request that is held; resolves when it is. */
  async hold(path: string, sent: Sent = {}): Promise<Held> {
    const before = this.apps.waiters();
    const held = new Held(this.metadata(path, { headers: JSON_TYPE, ...sent }));
    await vi.waitFor(() => {
      if (this.apps.waiters() <= before) throw new Error(`${path} is not held`);
    });
    return held;
  }
}

/** A request in flight. */
export class Held {
  readonly response: Promise<Response>;
  #isAnswered = false;

  constructor(response: Promise<Response>) {
    this.response = response;
    void response.then(() => {
      this.#isAnswered = true;
    });
  }

  /** Whether it is answered by all that has happened so far: every turn that could answer it has run. */
  async isAnswered(): Promise<boolean> {
    await settle();
    return this.#isAnswered;
  }

  async json(): Promise<unknown> {
    return (await this.response).json();
  }
}

export const JSON_TYPE = { accept: 'application/json' };
export const NOT_FOUND = { code: 404, message: 'Not found', type: 'ERROR' };

export function versionOf(response: Response): number {
  return Number(response.headers.get('x-metad-version') ?? Number.NaN);
}

/** Lets everything run that is due without any further event. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Asks the metadata API as its listener does; resolves when it is answered. A stream is none of its answers. */
export function askMetadata(apps: MetadApps, path: string, sent: Sent = {}): Promise<Response> {
  return new Promise((resolve, reject) => {
    apps.metadata(requestOf(path, sent), {
      answer: (answer, requestId) => resolve(responseOf(answer, requestId, sent)),
      open() {
        reject(new Error(`${path} is a stream`));
        throw new Error(`${path} is a stream`);
      },
    });
  });
}

function askManage(apps: MetadApps, path: string, sent: Sent): Promise<Response> {
  return new Promise((resolve) => {
    apps.manage(requestOf(path, { client: '127.0.0.1', ...sent }), {
      answer: (answer, requestId) => resolve(responseOf(answer, requestId, sent)),
    });
  });
}

/** A request without a socket, as a Web Request would carry it. */
export function requestOf(path: string, sent: Sent): ApiRequest {
  const { client = '10.1.0.1' } = sent;
  const raw = new Request('http://localhost/', initOf(sent));
  const { headers, signal } = raw;
  return {
    method: raw.method,
    target: path,
    peerAddress: client,
    body: webBody(raw),
    header: (name) => headers.get(name) ?? undefined,
    onGone: (listener) => onAbort(signal, listener),
  };
}

function responseOf(answer: Answer, requestId: string, { method }: Sent): Response {
  const { fields, body } = wireFormOf(answer);
  const headers: [string, string][] = [[REQUEST_ID_HEADER, requestId]];
  for (let i = 0; i + 1 < fields.length; i += 2) headers.push([fields[i] ?? '', fields[i + 1] ?? '']);
  const isEmpty = method === 'HEAD' || answer.status === 304;
  const bytes = Array.isArray(body) ? Buffer.concat(body) : body;
  return new Response(isEmpty ? null : bytes, { status: answer.status, headers });
}

function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) {
    listener();
    return () => undefined;
  }
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

function initOf({ method = 'GET', headers, body, rawBody, signal }: Sent): RequestInit {
  const payload = rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
  return {
    method,
    ...(headers === undefined ? {} : { headers }),
    ...(payload === undefined ? {} : { body: payload, duplex: 'half' }),
    ...(signal === undefined ? {} : { signal }),
  };
}
