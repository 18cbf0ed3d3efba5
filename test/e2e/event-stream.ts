import http from 'node:http';
import type { Cluster } from './cluster.ts';
import { waitUntil } from './wait-until.ts';

export interface StreamEvent {
  readonly event: string;
  readonly id: number | null;
  readonly data: unknown;
}

/** A client of a stream of events on a connection of its own. */
export class EventStreamClient {
  readonly events: StreamEvent[] = [];
  /** As in the last line of that name: with it a client comes back. */
  lastId: number | null = null;
  /** How the stream ended: by the node's word, or by a broken connection. */
  ended: 'complete' | 'broken' | null = null;
  readonly #incoming: http.IncomingMessage;
  #text = '';

  private constructor(incoming: http.IncomingMessage) {
    this.#incoming = incoming;
    incoming.setEncoding('utf8');
    incoming.on('data', (text: string) => this.#take(text));
    incoming.on('error', () => {
      this.ended ??= 'broken';
    });
    incoming.on('close', () => {
      this.ended ??= incoming.complete ? 'complete' : 'broken';
    });
  }

  /** Rejects with the status when it is not 200. */
  static open(
    cluster: Cluster,
    options: {
      readonly node: number;
      readonly path: string;
      readonly client: string;
      readonly lastId?: number | null;
    },
  ): Promise<EventStreamClient> {
    const { node, path, client, lastId = null } = options;
    const headers = {
      Accept: 'text/event-stream',
      'X-Forwarded-For': client,
      ...(lastId === null ? {} : { 'Last-Event-ID': String(lastId) }),
    };
    const { metadata: port } = cluster.node(node).ports;
    return new Promise((resolve, reject) => {
      const outgoing = http.get({ host: '127.0.0.1', port, path, headers, agent: false }, (incoming) => {
        if (incoming.statusCode === 200) resolve(new EventStreamClient(incoming));
        else {
          incoming.resume();
          reject(new Error(`${incoming.statusCode} ${incoming.headers['retry-after']}`));
        }
      });
      outgoing.on('error', reject);
    });
  }

  pause(): void {
    this.#incoming.pause();
  }

  resume(): void {
    this.#incoming.resume();
  }

  close(): void {
    this.#incoming.destroy();
  }

  /** Resolves once the newest event shows this. */
  async shows(data: unknown): Promise<void> {
    const text = JSON.stringify(data);
    await waitUntil(() => JSON.stringify(this.events.at(-1)?.data) === text, `an event that shows ${text}`);
  }

  #take(text: string): void {
    this.#text += text;
    const blocks = this.#text.split('\n\n');
    this.#text = blocks.pop() ?? '';
    for (const block of blocks) this.#takeBlock(block);
  }

  #takeBlock(block: string): void {
    const lines = block.split('\n').map((line): [string, string] => {
      const colon = line.indexOf(': ');
      return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 2)];
    });
    const { event, id, data } = Object.fromEntries(lines);
    if (id !== undefined) this.lastId = Number(id);
    if (data === undefined) return;
    this.events.push({
      event: event ?? '',
      id: id === undefined ? null : Number(id),
      data: JSON.parse(data),
    });
  }
}
