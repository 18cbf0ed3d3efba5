import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type ConnectionOptions, MetadClient, MetadError } from '../src/client/index.ts';

/** Nodes are asked in the order in which they are given, and soon again. */
export const IN_ORDER = { startAt: 'first', firstBackoffMs: 1, maxBackoffMs: 5 } as const;

export function clientOf(
  endpoints: readonly string[],
  options: Partial<ConnectionOptions> = {},
): MetadClient {
  const client = new MetadClient({
    endpoints,
    ...IN_ORDER,
    ...options,
  });
  onTestFinished(() => client.close());
  return client;
}

/** What a call must reject with. */
export async function failure(call: Promise<unknown>): Promise<MetadError> {
  const error = await call.then(
    () => new Error('it did not reject'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof MetadError)) throw error;
  return error;
}

/** A request as the stub has received it. */
export interface Received {
  readonly method: string;
  readonly target: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export type StubHandler = (received: Received, response: http.ServerResponse) => void;

/** A node that does as a test tells it. */
export class StubNode {
  readonly received: Received[] = [];
  readonly #server: http.Server;
  #handler: StubHandler;

  private constructor(handler: StubHandler) {
    this.#handler = handler;
    this.#server = http.createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url: target = '', headers } = request;
        const received = { method, target, headers, body: Buffer.concat(chunks).toString() };
        this.received.push(received);
        this.#handler(received, response);
      });
    });
  }

  static async start(handler: StubHandler): Promise<StubNode> {
    const node = new StubNode(handler);
    await new Promise<void>((resolve) => {
      node.#server.listen(0, '127.0.0.1', resolve);
    });
    onTestFinished(() => node.stop());
    return node;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });
  }

  handle(handler: StubHandler): void {
    this.#handler = handler;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}

/** Answers like a node; `undefined` is a 404. */
export function show(response: http.ServerResponse, version: number, value?: unknown): void {
  const body = value === undefined ? { code: 404, message: 'Not found', type: 'ERROR' } : value;
  response.writeHead(value === undefined ? 404 : 200, {
    'content-type': 'application/json',
    'x-metad-version': String(version),
  });
  response.end(JSON.stringify(body));
}

export function refuse(
  response: http.ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ code: status, message: `refused with ${status}`, type: 'ERROR' }));
}

/** An address where nobody listens. */
export async function deadUrl(): Promise<string> {
  const node = await StubNode.start(() => undefined);
  const { url } = node;
  await node.stop();
  return url;
}
