import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@metad/raft-core/simulation';
import type { Node } from '../e2e/node-set.ts';
import { del, put, read, type Written } from './endpoint.ts';
import type { History } from './history.ts';

export interface ClientOptions {
  readonly nodes: readonly Node[];
  readonly keys: readonly string[];
  readonly history: History;
  readonly seed: number;
  readonly count?: number;
}

/** After an answer that means nothing was done: the node is just ending, or has no leader. */
const PAUSE_MS = 20;

/**
 * Clients that write, delete and read the same few keys without a pause, each time through any node, and put what they
 * learn into a history.
 */
export class Clients {
  readonly tally: Record<Written, number> = { ok: 0, failed: 0, unknown: 0 };
  /** Reads that were answered. */
  reads = 0;
  /** The longest time that passed between two writes of any clients that were acknowledged. */
  longestGapMs = 0;
  #lastWrite = performance.now();
  readonly #options: ClientOptions;
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    const count = options.count ?? 10;
    const clients = Array.from({ length: count }, (_, index) => this.#run(index + 1));
    this.#running = Promise.all(clients);
  }

  /** Ends the clients, and resolves once each operation has its outcome. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(client: number): Promise<void> {
    const { nodes, keys, seed } = this.#options;
    const random = new Random(seed * 1000 + client);
    for (let number = 0; !this.#stopped; number += 1) {
      const node = random.pick(nodes);
      const key = random.pick(keys);
      if (node === undefined || key === undefined) throw new Error('there is nothing to work on');
      const door = random.below(6);
      const isAnswered = random.chance(0.5)
        ? await this.#read(client, door, node, key)
        : await this.#write(client, number, { door, node, key, isDelete: random.chance(0.2) });
      if (!isAnswered) await sleep(PAUSE_MS);
    }
  }

  async #read(client: number, door: number, node: Node, key: string): Promise<boolean> {
    const { history } = this.#options;
    const call = history.moment();
    const value = await read(door, node, key);
    if (value === undefined) return false;
    this.reads += 1;
    history.record({ type: 'read', client, key, call, outcome: { type: 'ok', at: history.moment(), value } });
    return true;
  }

  async #write(
    client: number,
    number: number,
    { door, node, key, isDelete }: { door: number; node: Node; key: string; isDelete: boolean },
  ): Promise<boolean> {
    const { history } = this.#options;
    const value = `${client}.${number}`;
    const call = history.moment();
    const written = isDelete ? await del(node, key) : await put(door, node, key, value);
    this.#count(written);
    const outcome = written === 'ok' ? { type: written, at: history.moment() } : { type: written };
    history.record(
      isDelete
        ? { type: 'delete', client, key, call, outcome }
        : { type: 'put', client, key, call, value, outcome },
    );
    return written === 'ok';
  }

  #count(written: Written): void {
    this.tally[written] += 1;
    if (written !== 'ok') return;
    const now = performance.now();
    this.longestGapMs = Math.max(this.longestGapMs, now - this.#lastWrite);
    this.#lastWrite = now;
  }
}
