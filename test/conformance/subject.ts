import { setTimeout as sleep } from 'node:timers/promises';
import { type Reply, send as sendRequest } from '../e2e/http.ts';
import type { Api } from './case-format.ts';

export interface NodePorts {
  readonly metadata: number;
  readonly manage: number;
}

export interface Outgoing {
  readonly api: Api;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** How many redirects to follow. */
  readonly follow: number;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const ARRIVAL_PROBES = 3;
const ARRIVAL_PAUSE_MS = 40;

/** The node or nodes under test. Each request goes to the next one. */
export class Subject {
  readonly #nodes: readonly NodePorts[];
  #turn = 0;
  #newestVersion = 0;

  constructor(nodes: readonly NodePorts[]) {
    this.#nodes = nodes;
  }

  /** Empties data, mapping and rules. */
  async reset(): Promise<void> {
    await this.#mustSucceed('DELETE', '/v1/data');
    await this.#mustSucceed('DELETE', '/v1/mapping');
    const hosts = Object.keys(JSON.parse((await this.#mustSucceed('GET', '/v1/rule')).text));
    if (hosts.length > 0)
      await this.#mustSucceed('DELETE', `/v1/rule?hosts=${hosts.map(encodeURIComponent).join(',')}`);
  }

  async #mustSucceed(method: string, path: string): Promise<Reply> {
    const headers = { Accept: 'application/json' };
    const reply = await this.send({ api: 'manage', method, path, headers, follow: 0 });
    if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
    return reply;
  }

  send(outgoing: Outgoing): Promise<Reply> {
    return this.#sendTo(this.#nextNode(), outgoing);
  }

  /** Sends a request and resolves, with the promise of its answer inside, once the node has taken it up. */
  async sendInBackground(outgoing: Outgoing): Promise<{ reply: Promise<Reply> }> {
    const node = this.#nextNode();
    const { reply, sent } = this.#start(node, outgoing);
    await sent;
    // A node takes requests up in the order of their arrival, so the answers to later ones show that this one is in.
    for (let probe = 0; probe < ARRIVAL_PROBES; probe += 1) {
      await sendRequest({ port: node[outgoing.api], path: '/', method: 'HEAD' });
    }
    await sleep(ARRIVAL_PAUSE_MS);
    return { reply };
  }

  #start(node: NodePorts, outgoing: Outgoing): { reply: Promise<Reply>; sent: Promise<void> } {
    let onSent = (): void => undefined;
    const handedOver = new Promise<void>((resolve) => {
      onSent = resolve;
    });
    const reply = this.#sendTo(node, outgoing, onSent);
    return { reply, sent: Promise.race([handedOver, reply.then(() => undefined)]) };
  }

  async #sendTo(node: NodePorts, outgoing: Outgoing, onSent?: () => void): Promise<Reply> {
    const { api, method, path, body, follow, timeoutMs, signal } = outgoing;
    const isRead = method === 'GET' || method === 'HEAD';
    const seen = { 'X-Metad-Version': String(this.#newestVersion) };
    const headers = { ...outgoing.headers, ...(isRead && this.#nodes.length > 1 && seen) };
    const reply = await sendRequest({
      port: node[api],
      method,
      path,
      headers,
      body,
      timeoutMs,
      signal,
      onSent,
    });
    this.#newestVersion = Math.max(this.#newestVersion, Number(reply.headers['x-metad-version'] ?? 0));
    if (follow === 0 || reply.status < 300 || reply.headers.location === undefined) return reply;
    const url = new URL(reply.headers.location, new URL(path, `http://127.0.0.1:${node[api]}`));
    return this.#sendTo(node, { ...outgoing, path: url.pathname + url.search, follow: follow - 1 });
  }

  #nextNode(): NodePorts {
    const node = this.#nodes[this.#turn % this.#nodes.length];
    if (!node) throw new Error('there is no node');
    this.#turn += 1;
    return node;
  }
}
