import type { Version } from '@metad/kv-store';
import { BoundedCache } from '../bounded-cache.ts';
import type { Answer } from '../http/answer.ts';

/** What an entry is taken to occupy besides its text. */
const ENTRY_OVERHEAD_BYTES = 256;

/**
 * Rendered answers of one version of the state. The first one of a newer version throws all others away, so nothing in
 * here can be out of date, and the version that an answer carries is the one that it was read at.
 */
export class AnswerCache {
  readonly #answers: BoundedCache<Answer>;
  #version: Version | null = null;

  constructor(options: { readonly maxAnswerCacheBytes: number }) {
    this.#answers = new BoundedCache({ maxWeight: options.maxAnswerCacheBytes });
  }

  get(version: Version, key: string): Answer | undefined {
    return version === this.#version ? this.#answers.get(key) : undefined;
  }

  /** `answer` was read at `version`. */
  set(version: Version, key: string, answer: Answer): void {
    if (this.#version === null || version > this.#version) {
      this.#answers.clear();
      this.#version = version;
    }
    if (version !== this.#version) return;
    this.#answers.set(key, answer, ENTRY_OVERHEAD_BYTES + 2 * key.length + answer.length);
  }

  clear(): void {
    this.#answers.clear();
  }
}
