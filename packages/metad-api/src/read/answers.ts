import type { StateView, Version } from '@metad/kv-store';
import { type ClientProfile, NO_PROFILE } from '../access/client-profile.ts';
import { type ClientProfiles, profileAt } from '../access/client-profiles.ts';
import { type Answer, prepared } from '../http/answer.ts';
import { CACHE_HEADERS } from '../http/cache-headers.ts';
import { NOT_FOUND, type Problem, tooLarge } from '../http/problem.ts';
import { type Form, nameOf } from '../render/render.ts';
import type { MetadSettings } from '../settings.ts';
import type { ChangeFeed } from '../wait/change-feed.ts';
import { AnswerCache } from './answer-cache.ts';
import { LeafReader, METADATA_LIMITS } from './leaf-reader.ts';
import type { Asker } from './long-answer.ts';
import { readMetadata } from './metadata-read.ts';
import { openPlace } from './open-place.ts';
import type { Question } from './question.ts';
import { refused, type TreeAnswers, type TreeQuestion } from './tree-answers.ts';

const MISSING: Problem = { ...NOT_FOUND, headers: CACHE_HEADERS };
const TOO_LARGE: Problem = {
  ...tooLarge(
    `this is more than ${METADATA_LIMITS.maxLeaves} values or ${METADATA_LIMITS.maxBytes / 1024 / 1024} MiB: read what is below it`,
  ),
  headers: CACHE_HEADERS,
};

/** Answers to reads of the newest state that this node has, from what is kept where that is still right. */
export class Answers {
  readonly #feed: ChangeFeed;
  readonly #profiles: ClientProfiles;
  readonly #trees: TreeAnswers;
  readonly #kept: AnswerCache;
  #last: LastAnswer | null = null;
  /** How often all that was kept has been thrown away: what was read before that is not kept any more. */
  #resets = 0;

  constructor(parts: {
    readonly feed: ChangeFeed;
    readonly profiles: ClientProfiles;
    readonly trees: TreeAnswers;
    readonly settings: MetadSettings;
  }) {
    this.#feed = parts.feed;
    this.#profiles = parts.profiles;
    this.#trees = parts.trees;
    this.#kept = new AnswerCache(parts.settings);
    parts.feed.listen((changes) => {
      if (!changes.some((change) => change.type === 'reset')) return;
      this.#kept.clear();
      this.#last = null;
      this.#resets += 1;
    });
  }

  /**
   * What is sent and its version come from one read transaction, now or when the kept answer was made. A promise only
   * for what is large.
   */
  answer(question: Question, asker: Asker): Answer | Promise<Answer> {
    return (
      this.#keptAnswer(question) ??
      this.#trees.answer((view, version) => this.#ask(question, view, version), question.form, asker)
    );
  }

  #keptAnswer(question: Question): Answer | undefined {
    // Without the feed nobody says when an answer is out of date.
    if (!this.#feed.isLive) return undefined;
    const { host } = question;
    const { version, deliveredVersion } = this.#feed;
    const profile =
      host === null ? NO_PROFILE : this.#profiles.known(host, { version, changesKnownTo: deliveredVersion });
    if (profile === null) return undefined;
    const { path, form } = question;
    const place = openPlace(profile, path);
    if (this.#last?.isOf(version, place, form)) return this.#last.answer;
    const answer = this.#kept.get(version, keyOf(profile, place, question));
    if (answer !== undefined && place !== null) this.#last = new LastAnswer(version, place, form, answer);
    return answer;
  }

  #ask(question: Question, view: StateView, version: Version): TreeQuestion {
    const { host, path, form } = question;
    const changesKnownTo = this.#feed.deliveredVersion;
    const profile = profileAt(this.#profiles, host, { view, version, changesKnownTo });
    const key = answerKey(profile, question);
    const resets = this.#resets;
    return {
      key,
      form,
      version,
      // Another client may just have been shown the same.
      known: this.#kept.get(version, key),
      *read() {
        const reader = new LeafReader(view, METADATA_LIMITS);
        const found = yield* readMetadata(reader, profile, path);
        if (reader.isOver) return refused(TOO_LARGE, form, version);
        return found.type === 'missing' ? refused(MISSING, form, version) : found;
      },
      keep: (made) => {
        const answer = prepared(made);
        if (resets === this.#resets) this.#kept.set(version, key, answer);
        return answer;
      },
    };
  }
}

/** What was answered last: when thousands wait for one place, each of them asks what the one before it asked. */
class LastAnswer {
  readonly answer: Answer;
  readonly #version: Version;
  readonly #place: string;
  readonly #form: Form;

  constructor(version: Version, place: string, form: Form, answer: Answer) {
    this.answer = answer;
    this.#version = version;
    this.#place = place;
    this.#form = form;
  }

  isOf(version: Version, place: string | null, { format, pretty }: Form): boolean {
    const form = this.#form;
    return (
      version === this.#version && place === this.#place && format === form.format && pretty === form.pretty
    );
  }
}

type Asked = Pick<Question, 'path' | 'form'>;

/** Names what an answer depends on: two questions with one key have one answer at one version. */
export function answerKey(profile: ClientProfile, asked: Asked): string {
  return keyOf(profile, openPlace(profile, asked.path), asked);
}

function keyOf(profile: ClientProfile, place: string | null, { path, form }: Asked): string {
  return place === null ? `${profile.id}${nameOf(form)}${path}` : nameOf(form) + place;
}
