import type { Version } from '@metad/kv-store';
import { type ClientProfile, NO_PROFILE } from '../access/client-profile.ts';
import { type ClientProfiles, profileAt } from '../access/client-profiles.ts';
import { type Answer, answerOf, prepared, problemAnswer } from '../http/answer.ts';
import { etagOf } from '../http/etag.ts';
import { NOT_FOUND } from '../http/problem.ts';
import type { Found } from '../render/found.ts';
import { type Form, renderFound } from '../render/render.ts';
import type { MetadSettings } from '../settings.ts';
import type { ChangeFeed } from '../wait/change-feed.ts';
import { AnswerCache } from './answer-cache.ts';
import { readMetadata } from './metadata-read.ts';
import { openPlace } from './open-place.ts';
import type { Question } from './question.ts';

/** Every client sees its own: nobody else may be shown what one was answered, nor the same one without asking again. */
export const CACHE_HEADERS = { 'Cache-Control': 'private, no-cache', Vary: 'Accept' } as const;

/** Answers to reads of the newest state that this node has, from what is kept where that is still right. */
export class Answers {
  readonly #feed: ChangeFeed;
  readonly #profiles: ClientProfiles;
  readonly #kept: AnswerCache;

  constructor(parts: {
    readonly feed: ChangeFeed;
    readonly profiles: ClientProfiles;
    readonly settings: MetadSettings;
  }) {
    this.#feed = parts.feed;
    this.#profiles = parts.profiles;
    this.#kept = new AnswerCache(parts.settings);
    parts.feed.listen((changes) => {
      if (changes.some((change) => change.type === 'reset')) this.#kept.clear();
    });
  }

  /** What is sent and its version come from one read transaction, now or when the kept answer was made. */
  answer(question: Question): Answer {
    return this.#keptAnswer(question) ?? this.#freshAnswer(question);
  }

  #keptAnswer(question: Question): Answer | undefined {
    // Without the feed nobody says when an answer is out of date.
    if (!this.#feed.isLive) return undefined;
    const { host } = question;
    const { version, deliveredVersion } = this.#feed;
    const profile =
      host === null ? NO_PROFILE : this.#profiles.known(host, { version, changesKnownTo: deliveredVersion });
    return profile === null ? undefined : this.#kept.get(version, answerKey(profile, question));
  }

  #freshAnswer(question: Question): Answer {
    const { host, path, form } = question;
    return this.#feed.read((view, version) => {
      const changesKnownTo = this.#feed.deliveredVersion;
      const profile = profileAt(this.#profiles, host, { view, version, changesKnownTo });
      const key = answerKey(profile, question);
      // Another client may just have been shown the same.
      const shared = this.#kept.get(version, key);
      if (shared !== undefined) return shared;
      const answer = prepared(answerTo(readMetadata(view, profile, path), form, version));
      this.#kept.set(version, key, answer);
      return answer;
    });
  }
}

function answerTo(found: Found, form: Form, version: Version): Answer {
  if (found.type === 'missing') {
    return problemAnswer({ ...NOT_FOUND, headers: CACHE_HEADERS }, form, version);
  }
  const headers = { ...CACHE_HEADERS, ETag: etagOf(version, form.format) };
  return answerOf({ form, body: renderFound(found, form), version, headers });
}

/** Names what an answer depends on: two questions with one key have one answer at one version. */
export function answerKey(profile: ClientProfile, { path, form }: Pick<Question, 'path' | 'form'>): string {
  const place = openPlace(profile, path);
  const formKey = form.pretty ? `${form.format}+` : form.format;
  return place === null ? `${profile.id}${formKey}${path}` : formKey + place;
}
