import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@metad/raft-core/simulation';
import { json, send, versionOf } from '../../e2e/http.ts';
import type { Node } from '../../e2e/node-set.ts';
import type { Evidence } from './evidence.ts';
import { sorted } from './model-view.ts';

const PARTS = [
  ['data', '/v1/data'],
  ['mapping', '/v1/mapping'],
  ['rules', '/v1/rule'],
] as const;
const PAUSE_MS = 15;
/** A node that stands still must not keep it from looking at the others. */
const TIMEOUT_MS = 500;

/** Somebody who looks at the whole of the state again and again: so it is known early which writes were applied. */
export class Auditor {
  readonly #options: { readonly nodes: readonly Node[]; readonly evidence: Evidence; readonly seed: number };
  readonly #running: Promise<void>;
  #stopped = false;

  constructor(options: {
    readonly nodes: readonly Node[];
    readonly evidence: Evidence;
    readonly seed: number;
  }) {
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
      if (node !== undefined) for (const [part, path] of PARTS) await this.#look(node, part, path);
      await sleep(PAUSE_MS);
    }
  }

  async #look({ id, ports }: Node, part: (typeof PARTS)[number][0], path: string): Promise<void> {
    const asked = send({
      port: ports.manage,
      path: `${path}?consistency=local`,
      headers: { Accept: 'application/json' },
      timeoutMs: TIMEOUT_MS,
    });
    // A node that is down or hangs tells nothing.
    const reply = await asked.catch(() => null);
    if (reply === null || reply.status === 503) return;
    const { evidence } = this.#options;
    if (reply.status !== 200) {
      evidence.problems.push(`node ${id} does not show ${path}: ${reply.status} ${reply.text}`);
      return;
    }
    evidence.observe({ type: 'audit', node: id, part, version: versionOf(reply), seen: sorted(json(reply)) });
  }
}
