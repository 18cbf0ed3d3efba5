import { type Answer, problemAnswer } from '../http/answer.ts';
import { type BatchRules, readBatch } from './batch.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { readJson, write } from './write.ts';
import { refuseConditions } from './write-conditions.ts';

/** `/v1/batch`: several operations in one write, which gets one version. */
export class BatchResource {
  readonly #parts: ManageParts;
  readonly #rules: BatchRules;

  constructor(parts: ManageParts, kinds: BatchRules['kinds']) {
    this.#parts = parts;
    this.#rules = { ...parts.settings, kinds };
  }

  async post(request: ManageRequest): Promise<Answer> {
    const { form, http } = request;
    const { feed } = this.#parts;
    const refusal = refuseConditions(http);
    if (refusal !== null) return problemAnswer(refusal, form, feed.version);
    const document = await readJson(request, this.#parts);
    if (document.type === 'problem') return problemAnswer(document.problem, form, feed.version);
    const batch = readBatch(document.value, this.#rules);
    if (batch.type === 'problem') return problemAnswer(batch.problem, form, feed.version);
    return write({ ...batch.value, listedAs: 'if' }, request, this.#parts);
  }
}
