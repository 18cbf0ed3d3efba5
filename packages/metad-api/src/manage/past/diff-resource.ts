import { canonicalPath } from '@metad/kv-store';
import { type Answer, problemAnswer } from '../../http/answer.ts';
import { describePathExcess, findPathExcess } from '../../http/path-limits.ts';
import { badRequest, type Checked, ok, type Problem, refuse } from '../../http/problem.ts';
import { documentAnswer } from '../document-answer.ts';
import type { ManageParts, ManageRequest } from '../manage-request.ts';
import { readLimit } from '../page-query.ts';
import type { TreeKinds } from '../tree-kind.ts';
import { reachVersion, readVersionOption } from '../version-query.ts';
import { type DiffQuery, readDiff } from './diff.ts';
import { readScope } from './history-scope.ts';
import type { PastLimit } from './past-limit.ts';

const MAX_LIMIT = 1000;

/** `/v1/diff?from=VERSION&to=VERSION&path=PATH`: what became different from one version to another. */
export class DiffResource {
  readonly #parts: ManageParts;
  readonly #kinds: TreeKinds;
  readonly #past: PastLimit;

  constructor(parts: ManageParts, options: { readonly kinds: TreeKinds; readonly past: PastLimit }) {
    this.#parts = parts;
    this.#kinds = options.kinds;
    this.#past = options.past;
  }

  async get(request: ManageRequest): Promise<Answer> {
    const { form } = request;
    const { feed } = this.#parts;
    const asked = this.#read(request.query);
    if (asked.type === 'problem') return problemAnswer(asked.problem, form, feed.version);
    const problem = await this.#prepare(asked.value, request);
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    const diff = await this.#past.run(() => readDiff(feed, asked.value));
    if (diff.type === 'problem') return problemAnswer(diff.problem, form, feed.version);
    return documentAnswer(diff.value.document, form, { version: diff.value.version });
  }

  async #prepare({ from, to }: DiffQuery, { http, query }: ManageRequest): Promise<Problem | null> {
    const { freshness, catchUp } = this.#parts;
    const problem = await freshness.ensure(http, query, 'linearizable');
    return problem ?? reachVersion(to ?? from, http, catchUp);
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
