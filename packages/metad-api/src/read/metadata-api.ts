import { isAtOrBelow } from '@metad/kv-store';
import { unreachable } from '@metad/raft-core';
import { type ClientProfile, NO_PROFILE } from '../access/client-profile.ts';
import { type ClientProfiles, profileAt } from '../access/client-profiles.ts';
import { type Answer, answerOf, problemAnswer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { type ClientIp, createClientIp } from '../http/client-ip.ts';
import { negotiate } from '../http/negotiate.ts';
import { methodNotAllowed, NOT_FOUND, type Problem, unavailable } from '../http/problem.ts';
import { isPretty, isWait, readPreviousVersion, readTimeoutMs } from '../http/query-options.ts';
import { parseTarget } from '../http/target.ts';
import { type Form, renderFound } from '../render/render.ts';
import type { MetadSettings } from '../settings.ts';
import type { CatchUp } from '../wait/catch-up.ts';
import type { ChangeFeed } from '../wait/change-feed.ts';
import type { Waiters } from '../wait/wait.ts';
import { AnswerCache } from './answer-cache.ts';
import type { Freshness } from './freshness.ts';
import { readMetadata } from './metadata-read.ts';
import { SELF } from './self.ts';

/** Browsers ask for it by themselves; it is never data. */
export const FAVICON = '/favicon.ico';

/** Nobody reads it; it is for the count of requests by status. */
const CLIENT_GONE: Problem = { status: 499, message: 'The client has gone' };

/** Who asks for what. */
interface Question {
  /** Null for a client that cannot be identified. */
  readonly host: string | null;
  readonly path: string;
  readonly form: Form;
}

/** The metadata API without its HTTP: takes requests, gives answers. */
export class MetadataApi {
  readonly #feed: ChangeFeed;
  readonly #profiles: ClientProfiles;
  readonly #freshness: Freshness;
  readonly #catchUp: CatchUp;
  readonly #waiters: Waiters;
  readonly #settings: MetadSettings;
  readonly #clientIp: ClientIp;
  readonly #answers: AnswerCache;

  constructor(parts: {
    readonly feed: ChangeFeed;
    readonly profiles: ClientProfiles;
    readonly freshness: Freshness;
    readonly catchUp: CatchUp;
    readonly waiters: Waiters;
    readonly settings: MetadSettings;
  }) {
    this.#feed = parts.feed;
    this.#profiles = parts.profiles;
    this.#freshness = parts.freshness;
    this.#catchUp = parts.catchUp;
    this.#waiters = parts.waiters;
    this.#settings = parts.settings;
    this.#clientIp = createClientIp(parts.settings);
    this.#answers = new AnswerCache(parts.settings);
    parts.feed.listen((changes) => {
      if (changes.some((change) => change.type === 'reset')) this.#answers.clear();
    });
  }

  /** A promise only where something has to be waited for: most requests are answered in the same turn. */
  handle(request: ApiRequest): Answer | Promise<Answer> {
    const format = negotiate(request.header('accept'));
    const target = parseTarget(request.target, this.#settings);
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
    if (query !== null || request.header('x-metad-version') !== undefined) {
      return this.#answerWithOptions(question, query, request);
    }
    const problem = this.#freshness.findProblem();
    return problem === null ? this.#answer(question) : this.#problem(problem, form);
  }

  async #answerWithOptions(
    question: Question,
    query: URLSearchParams | null,
    request: ApiRequest,
  ): Promise<Answer> {
    const problem = await this.#freshness.ensure(request, query, 'local');
    if (problem !== null) return this.#problem(problem, question.form);
    if (query === null || !isWait(query)) return this.#answer(question);
    return this.#answerAfterWait(question, query, request);
  }

  async #answerAfterWait(question: Question, query: URLSearchParams, request: ApiRequest): Promise<Answer> {
    const timeoutMs = readTimeoutMs(query, this.#settings);
    if (timeoutMs.type === 'problem') return this.#problem(timeoutMs.problem, question.form);
    const { host, path, form } = question;
    const onGone = (listener: () => void): (() => void) => request.onGone(listener);
    const since = readPreviousVersion(query);
    // A node that can't reach the version shows what it has: the client knew more, so it is not held.
    if (since !== null && !(await this.#catchUp.reaches(since, onGone))) return this.#answer(question);
    if (this.#waiters.isFull) return this.#problem(unavailable('too many requests are waiting'), form);
    const end = await this.#waiters.wait({ host, path, since, timeoutMs: timeoutMs.value, onGone });
    switch (end) {
      case 'changed':
      case 'timedOut':
        return this.#answer(question);
      case 'stopped':
        return this.#problem(unavailable('this node is stopping'), form);
      case 'gone':
        return this.#problem(CLIENT_GONE, form);
      default:
        return unreachable(end);
    }
  }

  /** What is sent and its version come from one read transaction, now or when the kept answer was made. */
  #answer(question: Question): Answer {
    return this.#keptAnswer(question) ?? this.#freshAnswer(question);
  }

  #keptAnswer({ host, path, form }: Question): Answer | undefined {
    // Without the feed nobody says when an answer is out of date.
    if (!this.#feed.isLive) return undefined;
    const { version, deliveredVersion } = this.#feed;
    const profile =
      host === null ? NO_PROFILE : this.#profiles.known(host, { version, changesKnownTo: deliveredVersion });
    return profile === null ? undefined : this.#answers.get(version, answerKey(profile, path, form));
  }

  #freshAnswer({ host, path, form }: Question): Answer {
    return this.#feed.read((view, version) => {
      const changesKnownTo = this.#feed.deliveredVersion;
      const profile = profileAt(this.#profiles, host, { view, version, changesKnownTo });
      const found = readMetadata(view, profile, path);
      const answer =
        found.type === 'missing'
          ? problemAnswer(NOT_FOUND, form, version)
          : answerOf({ form, body: renderFound(found, form), version });
      this.#answers.set(version, answerKey(profile, path, form), answer);
      return answer;
    });
  }

  #problem(problem: Problem, form: Form): Answer {
    return problemAnswer(problem, form, this.#feed.version);
  }
}

function answerKey(profile: ClientProfile, path: string, form: Form): string {
  return `${profile.id}${form.format}${form.pretty ? '+' : ''}${path}`;
}

/** A label for what is measured by route; waits are apart from reads. */
export function metadataRoute(target: string): string {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const route = isAtOrBelow(path, SELF) ? '/self/*' : '/*';
  return mark >= 0 && /[?&]wait=true(?:&|$)/i.test(target) ? `${route}?wait=true` : route;
}
