import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@metad/raft-core/simulation';
import { send, versionOf } from '../../e2e/http.ts';
import type { Node } from '../../e2e/node-set.ts';
import type { Evidence } from './evidence.ts';
import { type Operation, requestOf } from './operation.ts';
import { OperationChoice } from './operation-choice.ts';

/** Long enough for every answer that a node can give; what hangs longer is unknown. */
const TIMEOUT_MS = 12_000;
/** Between two writes of one writer, at most: the waiters shall have time to come back in between, now and then. */
const MAX_PAUSE_MS = 120;

export interface WritersOptions {
  readonly nodes: readonly Node[];
  readonly hosts: readonly string[];
  readonly evidence: Evidence;
  readonly seed: number;
  readonly count: number;
}

/** What became of all writes, in numbers. */
export interface Outcomes {
  acknowledged: number;
  unknown: number;
  refused: number;
}

/** Sends one write through a node and puts it into the evidence, unless nothing can ever come of it. */
export async function write(
  writer: number,
  operation: Operation,
  { node, evidence }: { readonly node: Node; readonly evidence: Evidence },
): Promise<keyof Outcomes> {
  const after = evidence.newest;
  const version = await versionGiven(operation, node);
  if (version === 'refused') return 'refused';
  evidence.write({ writer, operation, after, version });
  return version === null ? 'unknown' : 'acknowledged';
}

/** Clients that change data, rules and mappings, each time through any node. */
export class Writers {
  readonly outcomes: Outcomes = { acknowledged: 0, unknown: 0, refused: 0 };
  readonly #options: WritersOptions;
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(options: WritersOptions) {
    this.#options = options;
    this.#running = Promise.all(Array.from({ length: options.count }, (_, number) => this.#run(number + 1)));
  }

  /** Ends them, and resolves once each write has its outcome. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(writer: number): Promise<void> {
    const { nodes, hosts, evidence, seed } = this.#options;
    const random = new Random(seed * 100 + writer);
    const choice = new OperationChoice({ random, hosts, name: `${seed}.${writer}` });
    while (!this.#stopped) {
      const node = random.pick(nodes);
      if (node === undefined) throw new Error('there is no node');
      this.outcomes[await write(writer, choice.next(), { node, evidence })] += 1;
      await sleep(random.below(MAX_PAUSE_MS));
    }
  }
}

/** The version that a write was answered with; null when its outcome is unknown. */
async function versionGiven(operation: Operation, node: Node): Promise<number | 'refused' | null> {
  try {
    const reply = await send({ ...requestOf(operation, node), timeoutMs: TIMEOUT_MS });
    if (reply.status === 200) return versionOf(reply);
    // Whoever says 503 promises that nothing has happened, and nothing will.
    if (reply.status === 503) return 'refused';
    if (reply.status === 504) return null;
    throw new Error(`${JSON.stringify(operation)} was answered ${reply.status} ${reply.text}`);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === null) throw error;
    return code === 'ECONNREFUSED' ? 'refused' : null;
  }
}
