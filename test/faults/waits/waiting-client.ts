import { setTimeout as sleep } from 'node:timers/promises';
import { json, type Reply, send, versionOf } from '../../e2e/http.ts';
import { MISSING, sorted } from './model-view.ts';
import type { Asked, Witness } from './witness.ts';

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

/**
 * A client of the metadata API as the contract wants it: reads once, then waits with the version that it was given, at the
 * same node as long as that answers, then at another. Some leave in between, ask for short waits, or read again.
 */
export class WaitingClient {
  readonly witness: Witness;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  /** Whether every wait is a long one, which nothing but a change ends. */
  #isCalm = false;

  constructor(witness: Witness) {
    this.witness = witness;
    this.#running = this.#run();
  }

  setCalm(isCalm: boolean): void {
    this.#isCalm = isCalm;
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { random, number } = this.witness;
    while (!this.#ended.signal.aborted) {
      const isRestless = !this.#isCalm && number % 4 === 0;
      if (this.witness.version === null || (isRestless && random.chance(0.2))) await this.#ask(null);
      else if (isRestless && random.chance(0.3)) await this.#leave();
      else await this.#ask(isRestless ? SHORT_WAIT_S : LONG_WAIT_S);
    }
  }

  /** Waits a little, and goes on at another node without an answer. */
  async #leave(): Promise<void> {
    await this.#ask(LONG_WAIT_S, AbortSignal.timeout(this.witness.random.below(MAX_STAY_MS)));
    this.witness.move();
  }

  /** Asks once: waits for so many seconds, or reads. */
  async #ask(waits: number | null, leave?: AbortSignal): Promise<void> {
    const { witness } = this;
    const asked = witness.ask();
    const signal = AbortSignal.any([this.#ended.signal, ...(leave ? [leave] : [])]);
    try {
      const { path, headers } = this.#request(waits);
      const port = asked.node.ports.metadata;
      const reply = await send({ port, path, headers, timeoutMs: SILENCE_MS, signal });
      if (reply.status === 503) await this.#goAway(reply);
      else this.#look(reply, asked, waits);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Error && 'code' in error)) throw error;
      if (error.code !== 'ECONNREFUSED') witness.cut(asked);
      witness.move();
      await sleep(PAUSE_MS);
    }
  }

  /** There are three ways to say what one has seen. */
  #request(waits: number | null): { readonly path: string; readonly headers: Record<string, string> } {
    const { host, path, version, number } = this.witness;
    const headers: Record<string, string> = { Accept: 'application/json', 'X-Forwarded-For': host };
    if (version === null) return { path, headers };
    const hasTag = number % 5 === 3;
    if (hasTag) headers['If-None-Match'] = `"${version}.json"`;
    else if (waits === null || number % 2 === 0) headers['X-Metad-Version'] = `${version}`;
    if (waits === null) return { path, headers };
    const since = hasTag ? '' : `&prev_version=${version}`;
    return { path: `${path}?wait=true${since}&timeout=${waits}`, headers };
  }

  async #goAway(reply: Reply): Promise<void> {
    const { witness } = this;
    if (reply.headers['retry-after'] === undefined) witness.problem(`503 without Retry-After: ${reply.text}`);
    witness.tally.sentAway += 1;
    witness.move();
    await sleep(PAUSE_MS);
  }

  #look(reply: Reply, asked: Asked, waits: number | null): void {
    const { witness } = this;
    const seen = seenIn(reply, witness.seen);
    if (seen === null) {
      witness.problem(`${reply.status} ${reply.text}`);
      return;
    }
    const isWoken = waits !== null && performance.now() - asked.atMs < waits * 1000 - TIMER_SLACK_MS;
    witness.see(asked, { version: versionOf(reply), seen, isWoken });
    if (waits === null) witness.tally.reads += 1;
    else if (isWoken) witness.tally.woken += 1;
    else witness.tally.timeouts += 1;
  }
}

/** Null when it is no state. */
function seenIn(reply: Reply, before: string): string | null {
  switch (reply.status) {
    case 200:
      return sorted(json(reply));
    case 304:
      return before;
    case 404:
      return MISSING;
    default:
      return null;
  }
}
