import { type Answer, problemAnswer } from '../../http/answer.ts';
import { type Checked, ok } from '../../http/problem.ts';
import { documentAnswer } from '../document-answer.ts';
import type { ManageParts, ManageRequest } from '../manage-request.ts';
import { readLimit } from '../page-query.ts';
import type { TreeKinds } from '../tree-kind.ts';
import { readVersionOption } from '../version-query.ts';
import { type HistoryQuery, readHistoryPage } from './history-page.ts';
import { readScope } from './history-scope.ts';
import type { PastLimit } from './past-limit.ts';

const STANDARD_LIMIT = 100;
const MAX_LIMIT = 1000;

/** `/v1/history/PATH`: who changed what, and when, newest first. */
export class HistoryResource {
  readonly #parts: ManageParts;
  readonly #kinds: TreeKinds;
  readonly #past: PastLimit;

  constructor(parts: ManageParts, options: { readonly kinds: TreeKinds; readonly past: PastLimit }) {
    this.#parts = parts;
    this.#kinds = options.kinds;
    this.#past = options.past;
  }

  async get(request: ManageRequest): Promise<Answer> {
    const { http, query, form } = request;
    const { feed, freshness } = this.#parts;
    const asked = this.#read(request);
    if (asked.type === 'problem') return problemAnswer(asked.problem, form, feed.version);
    const problem = await freshness.ensure(http, query, 'linearizable');
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    const page = await this.#past.run(async () => ok(await readHistoryPage(feed, asked.value)));
    if (page.type === 'problem') return problemAnswer(page.problem, form, feed.version);
    return documentAnswer(page.value.document, form, { version: page.value.version });
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
