import { canonicalPath, type StateView, type Version } from '@metad/kv-store';
import { type Answer, problemAnswer } from '../../http/answer.ts';
import { describePathExcess, findPathExcess } from '../../http/path-limits.ts';
import { badRequest, type Checked, ok, type Problem, refuse } from '../../http/problem.ts';
import { nameOf } from '../../render/render.ts';
import { documentQuestion } from '../document-answer.ts';
import type { ManageParts, ManageRequest } from '../manage-request.ts';
import { readLimit } from '../page-query.ts';
import type { TreeKinds } from '../tree-kind.ts';
import { reachVersion, readVersionOption } from '../version-query.ts';
import { type DiffQuery, readDiff } from './diff.ts';
import { readScope } from './history-scope.ts';

const MAX_LIMIT = 1000;

/** `/v1/diff?from=VERSION&to=VERSION&path=PATH`: what became different from one version to another. */
export class DiffResource {
  readonly #parts: ManageParts;
  readonly #kinds: TreeKinds;

  constructor(parts: ManageParts, kinds: TreeKinds) {
    this.#parts = parts;
    this.#kinds = kinds;
  }

  async get(request: ManageRequest): Promise<Answer> {
    const { http, query, form } = request;
    const { feed, trees } = this.#parts;
    const asked = this.#read(query);
    if (asked.type === 'problem') return problemAnswer(asked.problem, form, feed.version);
    const problem = await this.#prepare(asked.value, request);
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    const { from, to, limit } = asked.value;
    const [tree, path] = [query?.get('tree') ?? '', query?.get('path') ?? ''];
    const key = `diff ${nameOf(form)} ${tree} ${from} ${to} ${limit} ${path}`;
    const ask = (view: StateView, version: Version) =>
      documentQuestion({ key, form, version }, () => readDiff(view, asked.value));
    return trees.answer(ask, form, http);
  }

  async #prepare({ from, to }: DiffQuery, { http, query }: ManageRequest): Promise<Problem | null> {
    const { freshness } = this.#parts;
    const problem = await freshness.ensure(http, query, 'linearizable');
    return problem ?? reachVersion(to ?? from, { http, query }, freshness);
  }

  #read(query: URLSearchParams | null): Checked<DiffQuery> {
    const path = canonicalPath((query?.get('path') ?? '').toWellFormed());
    const excess = findPathExcess(path, this.#parts.settings);
    if (excess !== null) return refuse(badRequest(describePathExcess(excess, this.#parts.settings)));
    const scope = readScope(query?.get('tree') ?? null, path, this.#kinds);
    if (scope.type === 'problem') return scope;
    const from = readVersionOption(query, 'from');
    if (from.type === 'problem') return from;
    const to = readVersionOption(query, 'to');
    if (to.type === 'problem') return to;
    if (from.value === null) return refuse(badRequest('from=VERSION is what is compared with'));
    if (to.value !== null && to.value < from.value) return refuse(badRequest('to is no version before from'));
    const limit = readLimit(query, { max: MAX_LIMIT });
    if (limit.type === 'problem') return limit;
    return ok({ scope: scope.value, from: from.value, to: to.value, limit: limit.value ?? MAX_LIMIT });
  }
}
