import { isAtOrBelow, type Version } from '@metad/kv-store';
import { unreachable } from '@metad/raft-core';
import { type Answer, problemAnswer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { type ClientIp, createClientIp } from '../http/client-ip.ts';
import { negotiate, prefersEvents } from '../http/negotiate.ts';
import {
  type Checked,
  CLIENT_GONE,
  methodNotAllowed,
  NOT_FOUND,
  ok,
  type Problem,
  refuse,
  unavailable,
} from '../http/problem.ts';
import {
  asksForFreshness,
  isLinearizable,
  isPretty,
  isWait,
  readJitterMs,
  readPreviousVersion,
  readTimeoutMs,
} from '../http/query-options.ts';
import { parseTarget } from '../http/target.ts';
import type { MetadSettings } from '../settings.ts';
import type { EventStream } from '../stream/event-stream.ts';
import type { StreamOpener } from '../stream/stream-opener.ts';
import type { CatchUp, CatchUpClient } from '../wait/catch-up.ts';
import type { ChangeFeed } from '../wait/change-feed.ts';
import type { HeldRequests } from '../wait/held-requests.ts';
import type { Waiters } from '../wait/wait.ts';
import type { WaitEnd } from '../wait/waiter.ts';
import type { Answers } from './answers.ts';
import { conditionalAnswer, heldVersion } from './conditional.ts';
import type { Freshness } from './freshness.ts';
import { HeldRead, type HeldReads } from './held-read.ts';
import type { Question } from './question.ts';
import { SELF } from './self.ts';

/** Browsers ask for it by themselves; it is never data. */
export const FAVICON = '/favicon.ico';

/** What comes back at once, or is yet to be run. */
export type Reply = Answer | EventStream | HeldRead;

/** What the client has already, by its headers: see heldVersion. */
type HeldVersion = ReturnType<typeof heldVersion>;

interface MetadataParts {
  readonly feed: ChangeFeed;
  readonly answers: Answers;
  readonly freshness: Freshness;
  readonly catchUp: CatchUp;
  /** Waits until all changes up to a version are delivered. */
  readonly deliveries: CatchUp;
  readonly waiters: Waiters;
  readonly held: HeldRequests;
  readonly streams: StreamOpener;
  readonly settings: MetadSettings;
}

/** The metadata API without its HTTP: takes requests, gives answers. */
export class MetadataApi {
  readonly #parts: MetadataParts;
  readonly #freshness: Freshness;
  readonly #answers: Answers;
  readonly #clientIp: ClientIp;
  readonly #heldReads: HeldReads;

  constructor(parts: MetadataParts) {
    this.#parts = parts;
    this.#freshness = parts.freshness;
    this.#answers = parts.answers;
    this.#clientIp = createClientIp(parts.settings);
    this.#heldReads = {
      waiters: parts.waiters,
      answerAfter: (read, end) => this.#answerAfter(read, end),
      close: (read) => parts.held.release(addressOf(read.question)),
    };
  }

  /** A promise only where something has to be waited for: most requests are answered in the same turn. */
  handle(request: ApiRequest): Reply | Promise<Reply> {
    const accept = request.header('accept');
    const format = negotiate(accept);
    const target = parseTarget(request.target, this.#parts.settings);
    const query = target.type === 'ok' ? target.value.query : null;
    const form = { format, pretty: isPretty(query) };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return this.#problem(methodNotAllowed('GET, HEAD'), form);
    }
    if (target.type === 'problem') return this.#problem(target.problem, form);
    const { path } = target.value;
    if (path === FAVICON) return this.#problem(NOT_FOUND, form);
    const host = this.#clientIp(request.peerAddress, request.header('x-forwarded-for'));
    const question = { host, path, form };
    if (prefersEvents(accept)) return this.#openStream(question, query, request);
    if (query !== null || hasConditions(request)) return this.#answerWithOptions(question, query, request);
    const problem = this.#freshness.findProblem();
    return problem === null ? this.#answers.answer(question, request) : this.#problem(problem, form);
  }

  async #openStream(question: Question, query: URLSearchParams | null, request: ApiRequest): Promise<Reply> {
    const opened = await this.#parts.streams.open(question, query, request);
    return opened.type === 'ok' ? opened.value : this.#problem(opened.problem, question.form);
  }

  async #answerWithOptions(
    question: Question,
    query: URLSearchParams | null,
    request: ApiRequest,
  ): Promise<Answer | HeldRead> {
    const problem = await this.#freshness.ensure(request, query, 'local');
    if (problem !== null) return this.#problem(problem, question.form);
    const has = heldVersion(request, question.form.format);
    const seen = has === 'any' ? null : has;
    if (query !== null && isWait(query)) {
      const held = await this.#hold(question, query, request, has);
      return held.type === 'ok' ? held.value : this.#problem(held.problem, question.form);
    }
    const refused = await this.#catchUp(seen, clientOf(question, request));
    if (refused !== null) return this.#problem(refused, question.form);
    return this.#answerUnlessHad(question, request, has);
  }

  /** What there is now, or that the client has it. */
  #answerUnlessHad(question: Question, request: ApiRequest, has: HeldVersion): Answer | Promise<Answer> {
    if (has === null) return this.#answers.answer(question, request);
    const { host, path, form } = question;
    const unlessHad = (answer: Answer): Answer =>
      conditionalAnswer(answer, form.format, has, (since) =>
        this.#parts.waiters.maySeeOtherwise({ host, path, since }),
      );
    const answer = (): Answer | Promise<Answer> => {
      const found = this.#answers.answer(question, request);
      return found instanceof Promise ? found.then(unlessHad) : unlessHad(found);
    };
    const isOld = typeof has === 'number' && has < this.#parts.feed.version;
    return isOld ? this.#untilDelivered(question, request).then(answer) : answer();
  }

  /** A read that is held until it should be answered; or the answer, when the client knew more than this node. */
  async #hold(
    question: Question,
    query: URLSearchParams,
    request: ApiRequest,
    has: HeldVersion,
  ): Promise<Checked<Answer | HeldRead>> {
    const { settings, held } = this.#parts;
    const timeoutMs = readTimeoutMs(query, settings);
    if (timeoutMs.type === 'problem') return timeoutMs;
    const jitterMs = readJitterMs(query, settings);
    if (jitterMs.type === 'problem') return jitterMs;
    const since = readPreviousVersion(query) ?? (has === 'any' ? null : has);
    // After the barrier of a linearizable request there is nothing left to catch up with.
    if (!isLinearizable(query)) {
      const problem = await this.#catchUp(since, clientOf(question, request), timeoutMs.value);
      if (problem !== null) return refuse(problem);
    }
    // A node that can't reach the version shows what it has: the client knew more, so it is not held.
    if (since !== null && since > this.#parts.feed.version)
      return ok(await this.#answerUnlessHad(question, request, has));
    const refused = held.hold(addressOf(question));
    if (refused !== null) return refuse(refused);
    const wait = { since, timeoutMs: timeoutMs.value, jitterMs: jitterMs.value };
    const reads = asksForFreshness(query) ? this.#heldReadsAsFreshAs(query) : this.#heldReads;
    return ok(new HeldRead({ question, request, wait, has }, reads));
  }

  /** Those to whom more was promised than that this node may be read: few, so the others don't pay for it. */
  #heldReadsAsFreshAs(query: URLSearchParams): HeldReads {
    const answerAfter = async (read: HeldRead, end: WaitEnd): Promise<Answer> => {
      const isRead = end === 'changed' || end === 'timedOut';
      const problem = isRead ? await this.#freshness.ensureAfterWait(query, end) : null;
      return problem === null ? this.#answerAfter(read, end) : this.#problem(problem, read.question.form);
    };
    return { ...this.#heldReads, answerAfter };
  }

  #answerAfter({ question, request, has }: HeldRead, end: WaitEnd): Answer | Promise<Answer> {
    const problem = this.#problemAfter(end);
    if (problem !== null) return this.#problem(problem, question.form);
    return this.#answerUnlessHad(question, request, has);
  }

  /** Gives this node some time to reach a version; a problem only when it stops. */
  async #catchUp(version: Version | null, client: CatchUpClient, atMostMs?: number): Promise<Problem | null> {
    if (version === null) return null;
    const outcome = await this.#parts.catchUp.reaches(version, client, atMostMs);
    return outcome === 'stopped' ? unavailable('this node is stopping') : null;
  }

  /** What is applied may be ahead of what is delivered, and with it of what can be said to be unchanged. */
  async #untilDelivered(question: Question, request: ApiRequest): Promise<void> {
    await this.#parts.deliveries.reaches(this.#parts.feed.version, clientOf(question, request));
  }

  #problemAfter(end: WaitEnd): Problem | null {
    switch (end) {
      case 'changed':
      case 'timedOut':
        // Much may have happened to this node since the request came.
        return this.#freshness.findProblem();
      case 'stopped':
        return unavailable('this node is stopping');
      case 'gone':
        return CLIENT_GONE;
      default:
        return unreachable(end);
    }
  }

  #problem(problem: Problem, form: Question['form']): Answer {
    return problemAnswer(problem, form, this.#parts.feed.version);
  }
}

/** By what requests that are held are counted; those of nobody as one client's. */
function addressOf({ host }: Question): string {
  return host ?? '';
}

function clientOf(question: Question, request: ApiRequest): CatchUpClient {
  return { address: addressOf(question), onGone: (listener) => request.onGone(listener) };
}

/** Whether headers ask for more than what this node has. */
function hasConditions(request: ApiRequest): boolean {
  return request.header('x-metad-version') !== undefined || request.header('if-none-match') !== undefined;
}

/** A label for what is measured by route; waits are apart from reads. */
export function metadataRoute(target: string): string {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const { read, wait } = isAtOrBelow(path, SELF) ? SELF_ROUTES : ROUTES;
  return mark >= 0 && /[?&]wait=true(?:&|$)/i.test(target) ? wait : read;
}

/** Whole strings: one that is put together has to be read through each time that it is looked up. */
const SELF_ROUTES = { read: '/self/*', wait: '/self/*?wait=true' };
const ROUTES = { read: '/*', wait: '/*?wait=true' };
