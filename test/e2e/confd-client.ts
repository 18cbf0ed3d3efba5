import { setTimeout as sleep } from 'node:timers/promises';
import { type Reply, send } from './http.ts';

/** Long enough to stand for none at all, which is what the client has. */
const NO_TIMEOUT_MS = 600_000;
const MAX_CONNECTION_ERRORS = 3;
/** Confd pauses for two seconds after an error, and for one, two, four and eight when it looks for a node. */
const PAUSE_MS = 100;

interface Connection {
  readonly port: number;
  /** The version of its last answer to a wait; 0 when it has given none. */
  waitIndex: number;
  errors: number;
}

export interface ConfdOptions {
  readonly ports: readonly number[];
  /** What it waits on. */
  readonly prefix: string;
  /** What its template needs: without all of them it renders nothing. */
  readonly keys: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * What confd does with metad, watching: it waits for anything below its prefix, takes no notice of what is answered, and
 * then reads its keys one by one. It sends no version but to the node that gave it one, and asks a node for 0 that it is
 * new to. It looks at no status when it reads, and takes every other one than 200 for an error when it waits. It leaves a
 * node after three connections that have failed, and takes the next one that answers anything.
 */
export class ConfdClient {
  /** Each different set of values that it has rendered. */
  readonly rendered: Readonly<Record<string, string>>[] = [];
  readonly ended: Promise<void>;
  readonly #options: ConfdOptions;
  readonly #connections: readonly Connection[];
  #turn = 0;
  #isWaiting = false;

  constructor(options: ConfdOptions) {
    this.#options = options;
    this.#connections = options.ports.map((port) => ({ port, waitIndex: 0, errors: 0 }));
    this.ended = this.#run();
  }

  /** The metadata port of the node that it waits on; null while it does something else. */
  get waitingOn(): number | null {
    return this.#isWaiting ? this.#current.port : null;
  }

  get #current(): Connection {
    const connection = this.#connections[this.#turn % this.#connections.length];
    if (connection === undefined) throw new Error('it has no nodes');
    return connection;
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    let lastIndex = 0;
    while (!signal.aborted) {
      const index = await this.#watchPrefix(lastIndex);
      if (index === null) await sleep(PAUSE_MS);
      else {
        lastIndex = index;
        await this.#process();
      }
    }
  }

  /** The next version to wait after; null for an error. */
  async #watchPrefix(lastIndex: number): Promise<number | null> {
    if (this.#current.errors >= MAX_CONNECTION_ERRORS) await this.#selectConnection();
    const connection = this.#current;
    if (lastIndex === 0) {
      connection.waitIndex = 1;
      return 1;
    }
    const version = connection.waitIndex === 0 ? 0 : lastIndex;
    this.#isWaiting = true;
    const reply = await this.#get(`${this.#options.prefix}?wait=true&prev_version=${version}`);
    this.#isWaiting = false;
    if (reply === null) return null;
    if (reply.status !== 200) return null;
    connection.waitIndex = Number(reply.headers['x-metad-version']);
    return connection.waitIndex;
  }

  async #process(): Promise<void> {
    const values = new Map<string, string>();
    for (const key of this.#options.keys) {
      const reply = await this.#get(key);
      if (reply === null) return;
      walk(key, JSON.parse(reply.text), values);
    }
    // A template that asks for a value that is not there fails, and the file stays as it is.
    if (!this.#options.keys.every((key) => values.has(key))) return;
    const last = JSON.stringify(this.rendered.at(-1));
    const next = Object.fromEntries(values);
    if (JSON.stringify(next) !== last) this.rendered.push(next);
  }

  async #selectConnection(): Promise<void> {
    for (let step = 0; step < this.#connections.length; step += 1) {
      this.#turn += 1;
      if ((await this.#get('/')) === null) continue;
      this.#current.errors = 0;
      return;
    }
  }

  /** Null when there is no answer. */
  async #get(path: string): Promise<Reply | null> {
    const connection = this.#current;
    const { signal } = this.#options;
    try {
      const headers = { Accept: 'application/json' };
      return await send({ port: connection.port, path, headers, timeoutMs: NO_TIMEOUT_MS, signal });
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error)) throw error;
      connection.errors += 1;
      return null;
    }
  }
}

function walk(path: string, document: unknown, values: Map<string, string>): void {
  if (typeof document === 'object' && document !== null) {
    for (const [name, member] of Object.entries(document)) walk(`${path}/${name}`, member, values);
  } else values.set(path, String(document));
}
