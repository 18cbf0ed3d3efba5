import { type Answer, problemAnswer } from '../http/answer.ts';
import { type Checked, ok } from '../http/problem.ts';
import { documentAnswer } from './document-answer.ts';
import { type HistoryQuery, readHistoryPage } from './history-page.ts';
import { readScope } from './history-scope.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { readLimit } from './page-query.ts';
import type { TreeKinds } from './tree-kind.ts';
import { readVersionOption } from './version-query.ts';

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
    const { http, query, form } = request;
    const { feed, freshness } = this.#parts;
    const asked = this.#read(request);
    if (asked.type === 'problem') return problemAnswer(asked.problem, form, feed.version);
    const problem = await freshness.ensure(http, query, 'linearizable');
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    const { document, version } = await readHistoryPage(feed, asked.value);
    return documentAnswer(document, form, { version });
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
