import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from '../e2e/http.ts';
import { type Case, expandMany, type Inspection, type Send, type Step } from './case-format.ts';
import { type Captured, findMismatch } from './mismatch.ts';
import type { Outgoing, Subject } from './subject.ts';

/** For what should be answered at once; a busy machine gets more than a client would want. */
const REPLY_TIMEOUT_MS = 15_000;
/** For a long poll after what should end it. */
const AWAIT_TIMEOUT_MS = 10_000;
const MAX_REDIRECTS = 5;

interface Waiter {
  readonly outcome: Promise<Reply | Error>;
  readonly abort: () => void;
}

/** Replays one case from an empty server. Throws an Error that says which step did not hold, and how. */
export async function replayCase(each: Case, subject: Subject): Promise<void> {
  const replay = new Replay(subject);
  await subject.reset();
  try {
    for (const [index, step] of each.steps.entries()) {
      const problem = await replay.step(step);
      if (problem !== null) throw new Error(`step ${index + 1}, ${describeStep(step)}: ${problem}`);
    }
  } finally {
    replay.abandonWaiters();
  }
}

class Replay {
  readonly #subject: Subject;
  readonly #captured: Captured = new Map();
  readonly #waiters = new Map<string, Waiter>();

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  /** In words what did not hold; null when the step did. */
  async step(step: Step): Promise<string | null> {
    if ('start' in step) return this.#start(step.start, step.send);
    if ('send' in step) return this.#exchange(step);
    if ('pending' in step) return this.#expectPending(step.pending, step.forMs);
    if ('await' in step) return this.#expectAnswer(step);
    return this.#abort(step.abort);
  }

  abandonWaiters(): void {
    for (const waiter of this.#waiters.values()) waiter.abort();
  }

  async #start(name: string, send: Send): Promise<null> {
    const controller = new AbortController();
    const outgoing = { ...this.#outgoing(send), timeoutMs: 0, signal: controller.signal };
    const { reply } = await this.#subject.sendInBackground(outgoing);
    this.#waiters.set(name, { outcome: orError(reply), abort: () => controller.abort() });
    return null;
  }

  async #exchange(step: { readonly send: Send } & Inspection): Promise<string | null> {
    const outgoing = {
      ...this.#outgoing(step.send),
      timeoutMs: Math.max(REPLY_TIMEOUT_MS, step.withinMs ?? 0),
    };
    return this.#inspect(await orError(this.#subject.send(outgoing)), step);
  }

  async #expectPending(name: string, forMs: number): Promise<string | null> {
    const outcome = await within(this.#waiter(name).outcome, forMs);
    return outcome === null ? null : `answered too early: ${describeOutcome(outcome)}`;
  }

  async #expectAnswer(step: { readonly await: string } & Inspection): Promise<string | null> {
    const limitMs = Math.max(AWAIT_TIMEOUT_MS, step.withinMs ?? 0);
    const outcome = await within(this.#waiter(step.await).outcome, limitMs);
    return outcome === null ? `still unanswered after ${limitMs} ms` : this.#inspect(outcome, step);
  }

  async #abort(name: string): Promise<null> {
    const waiter = this.#waiter(name);
    waiter.abort();
    await waiter.outcome;
    return null;
  }

  #inspect(outcome: Reply | Error, { expect, capture }: Inspection): string | null {
    if (outcome instanceof Error) return `no answer: ${outcome.message}`;
    const mismatch = findMismatch(outcome, expect ?? {}, this.#captured);
    if (mismatch !== null) return mismatch;
    return (
      this.#keep(outcome, 'x-metad-version', capture?.version) ??
      this.#keep(outcome, 'x-metad-requestid', capture?.requestId)
    );
  }

  #keep({ headers }: Reply, header: string, name: string | undefined): string | null {
    if (name === undefined) return null;
    const value = headers[header];
    if (typeof value !== 'string') return `no ${header} to keep as ${name}`;
    this.#captured.set(name, value);
    return null;
  }

  #waiter(name: string): Waiter {
    const waiter = this.#waiters.get(name);
    if (!waiter) throw new Error(`no request was started as ${name}`);
    return waiter;
  }

  #outgoing(send: Send): Outgoing {
    const headers: Record<string, string> = { ...send.headers };
    if (send.clientIp !== undefined) headers['X-Forwarded-For'] = send.clientIp;
    if (send.body !== undefined) headers['Content-Type'] ??= 'application/json';
    const body = send.body === undefined ? send.rawBody : JSON.stringify(expandMany(send.body));
    const path = send.path.replace(/\$\{(\w+)([+-]\d+)?\}/g, (_, name: string, offset: string | undefined) =>
      this.#fillIn(name, Number(offset ?? 0)),
    );
    return {
      api: send.api,
      method: send.method,
      path,
      headers,
      body,
      follow: send.follow ? MAX_REDIRECTS : 0,
    };
  }

  #fillIn(name: string, offset: number): string {
    const value = this.#captured.get(name);
    if (value === undefined) throw new Error(`nothing was kept as ${name}`);
    return String(Number(value) + offset);
  }
}

function orError(reply: Promise<Reply>): Promise<Reply | Error> {
  return reply.catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
}

/** What the promise gives, or null when it gives nothing in that time. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  const timer = new AbortController();
  const limit = sleep(ms, null, { signal: timer.signal }).catch(() => null);
  try {
    return await Promise.race([promise, limit]);
  } finally {
    timer.abort();
  }
}

function describeOutcome(outcome: Reply | Error): string {
  return outcome instanceof Error ? outcome.message : `${outcome.status} ${outcome.text.slice(0, 300)}`;
}

function describeStep(step: Step): string {
  if ('send' in step) {
    const { api, method, path, clientIp } = step.send;
    return `${method} ${api} ${path}${clientIp === undefined ? '' : ` from ${clientIp}`}`;
  }
  return Object.entries(step)
    .slice(0, 1)
    .map(([word, name]) => `${word} ${name}`)
    .join('');
}
