import type { StateView, Version } from '@metad/kv-store';
import { type Answer, problemAnswer } from '../../http/answer.ts';
import { type Checked, ok } from '../../http/problem.ts';
import { nameOf } from '../../render/render.ts';
import { documentQuestion } from '../document-answer.ts';
import type { ManageParts, ManageRequest } from '../manage-request.ts';
import { readLimit } from '../page-query.ts';
import type { TreeKinds } from '../tree-kind.ts';
import { readVersionOption } from '../version-query.ts';
import { type HistoryQuery, readHistoryPage } from './history-page.ts';
import { readScope } from './history-scope.ts';

const STANDARD_LIMIT = 100;
const MAX_LIMIT = 1000;

/** `/v1/history/PATH`: who changed what, and when, newest first. */
export class HistoryResource {
  readonly #parts: ManageParts;
  readonly #kinds: TreeKinds;

  constructor(parts: ManageParts, kinds: TreeKinds) {
    this.#parts = parts;
    this.#kinds = kinds;
  }

  async get(request: ManageRequest): Promise<Answer> {
    const { http, path, query, form } = request;
    const { feed, freshness, trees } = this.#parts;
    const asked = this.#read(request);
    if (asked.type === 'problem') return problemAnswer(asked.problem, form, feed.version);
    const problem = await freshness.ensure(http, query, 'linearizable');
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    const { before, limit } = asked.value;
    const key = `history ${nameOf(form)} ${query?.get('tree') ?? ''} ${before} ${limit} ${path}`;
    const ask = (view: StateView, version: Version) =>
      documentQuestion({ key, form, version }, () => readHistoryPage(view, asked.value));
    return trees.answer(ask, form, http);
  }

  #read({ path, query }: ManageRequest): Checked<HistoryQuery> {
    const scope = readScope(query?.get('tree') ?? null, path, this.#kinds);
    if (scope.type === 'problem') return scope;
    const before = readVersionOption(query, 'before');
    if (before.type === 'problem') return before;
    const limit = readLimit(query, { max: MAX_LIMIT });
    if (limit.type === 'problem') return limit;
    return ok({ scope: scope.value, before: before.value, limit: limit.value ?? STANDARD_LIMIT });
  }
}
