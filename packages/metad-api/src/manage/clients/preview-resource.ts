import { type Answer, problemAnswer } from '../../http/answer.ts';
import { NOT_FOUND } from '../../http/problem.ts';
import { FAVICON } from '../../read/metadata-api.ts';
import type { ManageParts, ManageRequest } from '../manage-request.ts';
import { readClient } from './client-question.ts';

/** `/v1/preview/PATH?ip=ADDRESS`: what that client gets at that path of the metadata port, byte for byte. */
export class PreviewResource {
  readonly #parts: ManageParts;

  constructor(parts: ManageParts) {
    this.#parts = parts;
  }

  async get({ http, path, query, form }: ManageRequest): Promise<Answer> {
    const { answers, feed, freshness } = this.#parts;
    const host = readClient(query);
    if (host.type === 'problem') return problemAnswer(host.problem, form, feed.version);
    const problem = await freshness.ensure(http, query, 'linearizable');
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    if (path === FAVICON) return problemAnswer(NOT_FOUND, form, feed.version);
    return answers.answer({ host: host.value, path, form }, http);
  }
}
