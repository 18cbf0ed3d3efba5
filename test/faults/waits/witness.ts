import { Random } from '@metad/raft-core/simulation';
import type { Cluster } from '../../e2e/cluster.ts';
import type { Node } from '../../e2e/node-set.ts';
import type { ScriptProcess } from '../../e2e/script-process.ts';
import type { Viewer } from './chronicle.ts';
import type { Evidence } from './evidence.ts';

export interface WitnessOptions extends Viewer {
  readonly number: number;
  readonly cluster: Cluster;
  readonly evidence: Evidence;
  readonly seed: number;
}

/** What one client did. */
export interface ClientTally {
  /** States that it was told of before its time was over. */
  woken: number;
  timeouts: number;
  reads: number;
  /** Answers of nodes that stop or catch up. */
  sentAway: number;
  /** Connections that were closed without an answer. */
  cut: number;
}

/** One request of a client. */
export interface Asked {
  readonly node: Node;
  /** The process that it went to. */
  readonly process: ScriptProcess;
  readonly atMs: number;
}

/** One client of the metadata API: what it was shown last, where it asks, and the record of all that it is told. */
export class Witness {
  readonly tally: ClientTally = { woken: 0, timeouts: 0, reads: 0, sentAway: 0, cut: 0 };
  readonly random: Random;
  readonly host: string;
  readonly path: string;
  readonly number: number;
  readonly #cluster: Cluster;
  readonly #evidence: Evidence;
  #version: number | null = null;
  #seen = '';
  #node: number;

  constructor({ number, host, path, cluster, evidence, seed }: WitnessOptions) {
    this.number = number;
    this.host = host;
    this.path = path;
    this.#cluster = cluster;
    this.#evidence = evidence;
    this.random = new Random(seed * 1000 + number);
    this.#node = this.random.pick(cluster.ids) ?? 0;
  }

  /** What it was shown last, as `see` gives it. */
  get seen(): string {
    return this.#seen;
  }

  /** The version of that; null when it was shown nothing yet. */
  get version(): number | null {
    return this.#version;
  }

  /** Where it asks, or where it asked last. */
  get node(): number {
    return this.#node;
  }

  ask(): Asked {
    const node = this.#cluster.node(this.#node);
    return { node, process: this.#cluster.process(node.id), atMs: performance.now() };
  }

  /** Goes to another node. */
  move(): void {
    const others = this.#cluster.ids.filter((id) => id !== this.#node);
    this.#node = this.random.pick(others) ?? this.#node;
  }

  /** `isWoken`: somebody waited for it, and it came before the time was over. */
  see(
    { node, process }: Asked,
    {
      version,
      seen,
      isWoken,
    }: { readonly version: number; readonly seen: string; readonly isWoken: boolean },
  ): void {
    const before = this.#version;
    if (before !== null && version < before) {
      this.problem(`node ${node.id} answered version ${version} to who had seen ${before}`);
      return;
    }
    this.#version = version;
    this.#seen = seen;
    const wokenFrom = isWoken ? before : null;
    const client = this.number;
    this.#evidence.observe({ type: 'sight', client, node: node.id, process, version, seen, wokenFrom });
  }

  /** A connection that was closed without an answer, after it was taken. */
  cut({ node, process, atMs }: Asked): void {
    this.tally.cut += 1;
    const heldMs = performance.now() - atMs;
    this.#evidence.cuts.push({ client: this.number, node: node.id, process, heldMs });
  }

  problem(what: string): void {
    this.#evidence.problems.push(`client ${this.number}, ${this.host} at ${this.path}: ${what}`);
  }
}
