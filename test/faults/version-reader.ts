import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@metad/raft-core/simulation';
import { type Reply, send, versionOf } from '../e2e/http.ts';
import type { Node } from '../e2e/node-set.ts';
import { READER_IP } from './endpoint.ts';

const PAUSE_MS = 10;
const TIMEOUT_MS = 8_000;

export interface VersionReaderOptions {
  readonly nodes: readonly Node[];
  /** What it reads, with everything below. */
  readonly path: string;
  readonly seed: number;
}

/**
 * A client of the metadata API that reads locally, each time from any node, and passes the version it was given on to
 * the next: that must never fall, and stands for one content.
 */
export class VersionReader {
  /** What it saw that must not be. */
  readonly problems: string[] = [];
  answers = 0;
  version = 0;
  readonly #contents = new Map<number, string>();
  readonly #options: VersionReaderOptions;
  readonly #running: Promise<void>;
  #stopped = false;

  constructor(options: VersionReaderOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.#running;
  }

  async #run(): Promise<void> {
    const random = new Random(this.#options.seed);
    while (!this.#stopped) {
      const node = random.pick(this.#options.nodes);
      if (node !== undefined) await this.#read(node);
      await sleep(PAUSE_MS);
    }
  }

  async #read({ id, ports }: Node): Promise<void> {
    const headers = {
      Accept: 'application/json',
      'X-Forwarded-For': READER_IP,
      'X-Metad-Version': String(this.version),
    };
    const asked = send({ port: ports.metadata, path: this.#options.path, headers, timeoutMs: TIMEOUT_MS });
    // A node that is down or hangs tells nothing.
    const reply = await asked.catch(() => null);
    if (reply !== null && (reply.status === 200 || reply.status === 404)) this.#check(id, reply);
  }

  #check(id: number, reply: Reply): void {
    this.answers += 1;
    const version = versionOf(reply);
    if (version < this.version) {
      this.problems.push(`node ${id} answered version ${version} to who had seen ${this.version}`);
    }
    const content = reply.status === 404 ? '' : reply.text;
    const known = this.#contents.get(version) ?? content;
    if (known !== content) {
      this.problems.push(`version ${version} is ${content} on node ${id}, and was ${known}`);
    }
    this.#contents.set(version, content);
    this.version = Math.max(this.version, version);
  }
}
