import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@metad/raft-core/simulation';
import type { Cluster } from '../../e2e/cluster.ts';
import { json, type Reply, send, versionOf } from '../../e2e/http.ts';
import type { ScriptProcess } from '../../e2e/script-process.ts';
import type { Viewer } from './chronicle.ts';
import type { Evidence } from './evidence.ts';
import { MISSING, sorted } from './model-view.ts';

/** Far longer than a test: only a change ends such a wait, so one that is lost shows. */
const LONG_WAIT_S = 600;
const SHORT_WAIT_S = 1;
/** A timer may ring that much before its time. */
const TIMER_SLACK_MS = 5;
/** For who leaves in the middle of a wait. */
const MAX_STAY_MS = 400;
/** After an answer that is no state: the node is stopping or catching up. */
const PAUSE_MS = 25;
const SILENCE_MS = (LONG_WAIT_S + 60) * 1000;

export interface ClientOptions extends Viewer {
  readonly number: number;
  readonly cluster: Cluster;
  readonly evidence: Evidence;
  readonly seed: number;
}

interface Asked {
  readonly node: number;
  readonly process: ScriptProcess;
  /** Seconds; null for a plain read. */
  readonly waits: number | null;
  /** A wait that was answered before its time. */
  readonly isEarly: boolean;
}

/** What one client did. */
export interface ClientTally {
  waits: number;
  timeouts: number;
  reads: number;
  /** Answers of nodes that stop or catch up. */
  sentAway: number;
  /** Connections that were closed without an answer. */
  cut: number;
}

/**
 * A client of the metadata API as the contract wants it: reads once, then waits with the version that it was given, at the
 * same node as long as that answers, then at another. Some leave in between, ask for short waits, or read again.
 */
export class WaitingClient {
  readonly tally: ClientTally = { waits: 0, timeouts: 0, reads: 0, sentAway: 0, cut: 0 };
  readonly #options: ClientOptions;
  readonly #random: Random;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #version: number | null = null;
  #seen = '';
  #node: number;
  /** Whether every wait is a long one, which nothing but a change ends. */
  #isCalm = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#random = new Random(options.seed * 1000 + options.number);
    this.#node = this.#random.pick(options.cluster.ids) ?? 0;
    this.#running = this.#run();
  }

  get viewer(): Viewer & { readonly number: number } {
    return this.#options;
  }

  /** What it was shown last. */
  get seen(): string {
    return this.#seen;
  }

  get version(): number | null {
    return this.#version;
  }

  /** Where it asks, or where it asked last. */
  get node(): number {
    return this.#node;
  }

  setCalm(isCalm: boolean): void {
    this.#isCalm = isCalm;
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const isRestless = !this.#isCalm && this.#options.number % 4 === 0;
      if (this.#version === null || (isRestless && this.#random.chance(0.2)))
        await this.#ask({ waits: null });
      else if (isRestless && this.#random.chance(0.3)) await this.#leave();
      else await this.#ask({ waits: isRestless ? SHORT_WAIT_S : LONG_WAIT_S });
    }
  }

  /** Waits a little, and goes on at another node without an answer. */
  async #leave(): Promise<void> {
    await this.#ask({ waits: LONG_WAIT_S, leavesAfterMs: this.#random.below(MAX_STAY_MS) });
    this.#move();
  }

  async #ask({
    waits,
    leavesAfterMs,
  }: {
    readonly waits: number | null;
    readonly leavesAfterMs?: number;
  }): Promise<void> {
    const { cluster } = this.#options;
    const node = cluster.node(this.#node);
    const process = cluster.process(node.id);
    const started = performance.now();
    const leave = leavesAfterMs === undefined ? [] : [AbortSignal.timeout(leavesAfterMs)];
    const signal = AbortSignal.any([this.#ended.signal, ...leave]);
    try {
      const reply = await send({
        port: node.ports.metadata,
        ...this.#request(waits),
        timeoutMs: SILENCE_MS,
        signal,
      });
      const isEarly = waits !== null && performance.now() - started < waits * 1000 - TIMER_SLACK_MS;
      if (reply.status === 503) await this.#sentAway(reply);
      else this.#look(reply, { node: node.id, process, waits, isEarly });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Error && 'code' in error)) throw error;
      if (error.code !== 'ECONNREFUSED') {
        this.tally.cut += 1;
        const heldMs = performance.now() - started;
        this.#options.evidence.cuts.push({ client: this.#options.number, node: node.id, process, heldMs });
      }
      this.#move();
      await sleep(PAUSE_MS);
    }
  }

  #request(waits: number | null): { readonly path: string; readonly headers: Record<string, string> } {
    const { host, path, number } = this.#options;
    const version = this.#version;
    // Every other client says in two ways what it knows; the rest is answered by prev_version alone.
    const known = version !== null && (waits === null || number % 2 === 0);
    const headers = {
      Accept: 'application/json',
      'X-Forwarded-For': host,
      ...(known ? { 'X-Metad-Version': `${version}` } : {}),
    };
    const query = waits === null ? '' : `?wait=true&prev_version=${version}&timeout=${waits}`;
    return { path: `${path}${query}`, headers };
  }

  async #sentAway(reply: Reply): Promise<void> {
    if (reply.headers['retry-after'] === undefined) this.#problem(`503 without Retry-After: ${reply.text}`);
    this.tally.sentAway += 1;
    this.#move();
    await sleep(PAUSE_MS);
  }

  #look(reply: Reply, { node, process, waits, isEarly }: Asked): void {
    if (reply.status !== 200 && reply.status !== 404) {
      this.#problem(`${reply.status} ${reply.text}`);
      return;
    }
    const version = versionOf(reply);
    const before = this.#version;
    if (before !== null && version < before) {
      this.#problem(`node ${node} answered version ${version} to who had seen ${before}`);
      return;
    }
    const { number: client, evidence } = this.#options;
    const wokenFrom = isEarly ? before : null;
    this.#version = version;
    this.#seen = reply.status === 404 ? MISSING : sorted(json(reply));
    evidence.observe({ type: 'sight', client, node, process, version, seen: this.#seen, wokenFrom });
    if (waits === null) this.tally.reads += 1;
    else if (isEarly) this.tally.waits += 1;
    else this.tally.timeouts += 1;
  }

  #move(): void {
    const others = this.#options.cluster.ids.filter((id) => id !== this.#node);
    this.#node = this.#random.pick(others) ?? this.#node;
  }

  #problem(what: string): void {
    const { number, host, path, evidence } = this.#options;
    evidence.problems.push(`client ${number}, ${host} at ${path}: ${what}`);
  }
}
