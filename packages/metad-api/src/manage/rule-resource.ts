import type { StateView, Version } from '@metad/kv-store';
import { type Answer, answerOf, problemAnswer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { tagHeaders } from '../http/cache-headers.ts';
import { canonicalAddress } from '../http/ip-address.ts';
import { refused, type TreeQuestion } from '../read/tree-answers.ts';
import { type Form, nameOf, renderRuleSets } from '../render/render.ts';
import type { NamedChange } from '../wait/change-window.ts';
import { catchUpWithTags, findUnchanged } from './conditional-read.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { readNames } from './name-list.ts';
import { deleteRules, setRules } from './operations.ts';
import { readStoredRules } from './rule-reads.ts';
import { wholeTreeLimits } from './whole-tree.ts';
import { readJson, write } from './write.ts';
import { refuseConditions } from './write-conditions.ts';

/** `/v1/rule`. */
export class RuleResource {
  readonly #parts: ManageParts;

  constructor(parts: ManageParts) {
    this.#parts = parts;
  }

  async get({ http, query, form }: ManageRequest): Promise<Answer> {
    const { feed, freshness, catchUp } = this.#parts;
    const problem = await freshness.ensure(http, query, 'linearizable');
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    await catchUpWithTags(http, { query, format: form.format }, catchUp);
    return this.#read(namedHosts(query), http, form);
  }

  /** Of these hosts, or of all. */
  #read(hosts: ReadonlySet<string> | null, http: ApiRequest, form: Form): Answer | Promise<Answer> {
    const { feed, settings, trees } = this.#parts;
    const { format } = form;
    const limits = wholeTreeLimits(settings);
    const concerns = (change: NamedChange): boolean =>
      change.type === 'rules' && (hosts === null || change.hosts.some((host) => hosts.has(host)));
    const ask = (view: StateView, version: Version): TreeQuestion => ({
      key: `rules ${nameOf(form)} ${hosts === null ? '' : `of ${[...hosts].join(',')}`}`,
      form,
      version,
      known: findUnchanged(http, feed, { version, format, concerns }) ?? undefined,
      *read() {
        const ruleSets = yield* readStoredRules(view, hosts, limits);
        if (ruleSets.type === 'problem') return refused(ruleSets.problem, form, version);
        const body: Buffer[] = [];
        for (const piece of renderRuleSets(ruleSets.value, form)) {
          body.push(Buffer.from(piece));
          yield;
        }
        const answer = answerOf({ form, body, version, headers: tagHeaders(version, format) });
        return { type: 'made', answer };
      },
    });
    return trees.answer(ask, form, http);
  }

  /** POST and PUT alike set the whole list of each host in the body. */
  async put(request: ManageRequest): Promise<Answer> {
    const { form, http } = request;
    const { feed, settings } = this.#parts;
    const refusal = refuseConditions(http);
    if (refusal !== null) return problemAnswer(refusal, form, feed.version);
    const document = await readJson(request, this.#parts);
    if (document.type === 'problem') return problemAnswer(document.problem, form, feed.version);
    const operation = setRules(document.value, settings);
    if (operation.type === 'problem') return problemAnswer(operation.problem, form, feed.version);
    return write({ operations: [operation.value], preconditions: [] }, request, this.#parts);
  }

  /** Deletes nothing unless `hosts` names somebody. */
  async delete(request: ManageRequest): Promise<Answer> {
    const { form, http, query } = request;
    const refusal = refuseConditions(http);
    if (refusal !== null) return problemAnswer(refusal, form, this.#parts.feed.version);
    const operation = deleteRules(readNames(query, 'hosts') ?? []);
    return write({ operations: [operation], preconditions: [] }, request, this.#parts);
  }
}

/** Null: all. What is no address has no rules. */
function namedHosts(query: URLSearchParams | null): ReadonlySet<string> | null {
  if ((query?.get('hosts') ?? '') === '') return null;
  const names = readNames(query, 'hosts') ?? [];
  return new Set(names.map((name) => canonicalAddress(name.trim())).filter((host) => host !== null));
}
