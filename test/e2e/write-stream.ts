import type { Cluster } from './cluster.ts';
import { send } from './http.ts';

/** What a client knows of one write of a key that nobody else writes. */
export interface Write {
  readonly key: string;
  readonly value: string;
  /** `refused`: the node said that it is not done and never will be. `unknown`: it may or may not be. */
  readonly outcome: 'acknowledged' | 'refused' | 'unknown';
}

const WRITE_TIMEOUT_MS = 20_000;

/** Clients that write without a pause, each in turn to every node, through the KV and the manage API. */
export class WriteStream {
  readonly writes: Write[] = [];
  readonly #cluster: Cluster;
  readonly #name: string;
  readonly #clients: Promise<void>[];
  #stopped = false;

  constructor(cluster: Cluster, name: string, clients = 6) {
    this.#cluster = cluster;
    this.#name = name;
    this.#clients = Array.from({ length: clients }, (_, number) => this.#run(number));
  }

  get acknowledged(): readonly Write[] {
    return this.writes.filter(({ outcome }) => outcome === 'acknowledged');
  }

  get refused(): readonly Write[] {
    return this.writes.filter(({ outcome }) => outcome === 'refused');
  }

  /** Ends the stream and resolves once every write has its outcome. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #run(client: number): Promise<void> {
    for (let number = 0; !this.#stopped; number += 1) {
      const ids = this.#cluster.ids;
      const id = ids[(client + number) % ids.length] ?? 1;
      const key = `${this.#name}/client-${client}/${number}`;
      const value = `value-${client}-${number}`;
      const outcome = await (number % 2 === 0 ? this.#put(id, key, value) : this.#manage(id, key, value));
      this.writes.push({ key, value, outcome });
    }
  }

  #put(id: number, key: string, value: string): Promise<Write['outcome']> {
    return this.#send(this.#cluster.node(id).ports.cluster, 'POST', '/write', { Put: { key, value } });
  }

  #manage(id: number, key: string, value: string): Promise<Write['outcome']> {
    return this.#send(this.#cluster.node(id).ports.manage, 'PUT', `/v1/data/${key}`, value);
  }

  async #send(port: number, method: string, path: string, body: unknown): Promise<Write['outcome']> {
    try {
      const text = JSON.stringify(body);
      const { status } = await send({ port, method, path, body: text, timeoutMs: WRITE_TIMEOUT_MS });
      if (status === 200) return 'acknowledged';
      return status === 503 ? 'refused' : 'unknown';
    } catch (error) {
      const refused = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
      return refused ? 'refused' : 'unknown';
    }
  }
}

/** What is wrong with a node's whole content, given what its clients know; empty when nothing is. */
export function findLoss(writes: readonly Write[], content: ReadonlyMap<string, string>): string[] {
  return writes.flatMap(({ key, value, outcome }) => {
    const found = content.get(key);
    if (outcome === 'acknowledged' && found !== value) return [`${key} was acknowledged, but is ${found}`];
    if (outcome === 'refused' && found !== undefined) return [`${key} was refused, but is ${found}`];
    if (outcome === 'unknown' && found !== undefined && found !== value) return [`${key} is ${found}`];
    return [];
  });
}
