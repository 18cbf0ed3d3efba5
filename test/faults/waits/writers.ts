import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@metad/raft-core/simulation';
import { send, versionOf } from '../../e2e/http.ts';
import type { Node } from '../../e2e/node-set.ts';
import type { Evidence } from './evidence.ts';
import { type Operation, requestOf } from './operation.ts';
import { OperationChoice } from './operation-choice.ts';

/** Long enough for every answer that a node can give; what hangs longer is unknown. */
const TIMEOUT_MS = 12_000;
/** A write with a key is asked for again for so long. */
const MAX_RETRY_MS = 60_000;
const RETRY_PAUSE_MS = 50;
/** The one whose writes have no key: what becomes of some of them nobody ever tells. */
const KEYLESS_WRITER = 1;
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
  /** Of these: only when asked again under the same key, after an answer that said nothing. */
  repeated: number;
  unknown: number;
  refused: number;
}

export interface WriteOptions {
  readonly writer: number;
  /** To be asked in turn, for as long as nothing is known of a write with a key. */
  readonly nodes: readonly Node[];
  readonly evidence: Evidence;
  /** '' for a write that cannot be sent again. */
  readonly idempotencyKey: string;
}

/** Sends one write and puts it into the evidence, unless nothing can ever come of it. */
export async function write(operation: Operation, options: WriteOptions): Promise<keyof Outcomes> {
  const { writer, nodes, evidence, idempotencyKey } = options;
  const after = evidence.newest;
  const [first] = nodes;
  if (first === undefined) throw new Error('there is no node');
  const answer = await sendOnce(operation, first, idempotencyKey);
  if (typeof answer === 'string') {
    evidence.refuse({ writer, operation, after, version: null, reason: `node ${first.id}: ${answer}` });
    return 'refused';
  }
  const version = answer ?? (idempotencyKey === '' ? null : await sendAgain(operation, options));
  evidence.write({ writer, operation, after, version });
  if (version === null) return 'unknown';
  return answer === null ? 'repeated' : 'acknowledged';
}

/** Clients that change data, rules and mappings, each time through any node. */
export class Writers {
  readonly outcomes: Outcomes = { acknowledged: 0, repeated: 0, unknown: 0, refused: 0 };
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
    let number = 0;
    while (!this.#stopped) {
      number += 1;
      const idempotencyKey = writer === KEYLESS_WRITER ? '' : `${seed}.${writer}.${number}`;
      const operation = choice.next();
      const order = random.shuffled(nodes);
      this.outcomes[await write(operation, { writer, nodes: order, evidence, idempotencyKey })] += 1;
      await sleep(random.below(MAX_PAUSE_MS));
    }
  }
}

/** Asks one node after the other until one tells the version that a write got, or gets now. */
async function sendAgain(
  operation: Operation,
  { nodes, idempotencyKey }: WriteOptions,
): Promise<number | null> {
  const deadline = performance.now() + MAX_RETRY_MS;
  for (let attempt = 1; performance.now() < deadline; attempt += 1) {
    const node = nodes[attempt % nodes.length];
    const answer = node === undefined ? null : await sendOnce(operation, node, idempotencyKey);
    if (typeof answer === 'number') return answer;
    await sleep(RETRY_PAUSE_MS);
  }
  return null;
}

/** The version that a write was answered with; why it was refused for sure; null when its outcome is unknown. */
async function sendOnce(
  operation: Operation,
  node: Node,
  idempotencyKey: string,
): Promise<number | string | null> {
  const request = requestOf(operation, node);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const key = idempotencyKey === '' ? {} : { 'Idempotency-Key': idempotencyKey };
  try {
    const headers = { ...request.headers, ...key };
    const reply = await send({ ...request, headers, signal });
    if (reply.status === 200) return versionOf(reply);
    // Whoever says 503 promises that nothing has happened, and nothing will.
    if (reply.status === 503) return `503 ${reply.headers['x-metad-error'] ?? reply.text}`;
    if (reply.status === 504) return null;
    throw new Error(`${JSON.stringify(operation)} was answered ${reply.status} ${reply.text}`);
  } catch (error) {
    // Connections that end without an answer, whether one end or the wait for it was cut off.
    if (!isNoAnswer(error)) throw error;
    return 'code' in error && error.code === 'ECONNREFUSED' ? error.code : null;
  }
}

function isNoAnswer(error: unknown): error is Error {
  return error instanceof Error && ('code' in error || error.name === 'TimeoutError');
}
