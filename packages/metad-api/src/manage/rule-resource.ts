import { type Answer, answerOf, problemAnswer } from '../http/answer.ts';
import { tagHeaders } from '../http/cache-headers.ts';
import { canonicalAddress } from '../http/ip-address.ts';
import { renderRuleSets } from '../render/render.ts';
import type { NamedChange } from '../wait/change-window.ts';
import { catchUpWithTags, findUnchanged } from './conditional-read.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { readNames } from './name-list.ts';
import { deleteRules, setRules } from './operations.ts';
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
    const names = (readNames(query, 'hosts') ?? []).filter((name) => name.trim() !== '');
    const isAll = (query?.get('hosts') ?? '') === '';
    const wanted = new Set(names.map((name) => canonicalAddress(name.trim())));
    return feed.read((view, version) => {
      const { format } = form;
      const concerns = (change: NamedChange) =>
        change.type === 'rules' && (isAll || change.hosts.some((host) => wanted.has(host)));
      const unchanged = findUnchanged(http, feed, { version, format, concerns });
      if (unchanged !== null) return unchanged;
      const ruleSets = isAll ? view.allRules() : view.allRules().filter(([host]) => wanted.has(host));
      const headers = tagHeaders(version, format);
      return answerOf({ form, body: renderRuleSets(ruleSets, form), version, headers });
    });
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
