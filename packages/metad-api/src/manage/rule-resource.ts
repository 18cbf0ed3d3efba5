import { type Answer, answerOf, problemAnswer } from '../http/answer.ts';
import { canonicalAddress } from '../http/ip-address.ts';
import { renderRuleSets } from '../render/render.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { readNames } from './name-list.ts';
import { readRuleSets } from './rules.ts';
import { readJson, write } from './write.ts';

/** `/v1/rule`. */
export class RuleResource {
  readonly #parts: ManageParts;

  constructor(parts: ManageParts) {
    this.#parts = parts;
  }

  async get({ http, query, form }: ManageRequest): Promise<Answer> {
    const { feed, freshness } = this.#parts;
    const problem = await freshness.ensure(http, query, 'linearizable');
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    const names = (readNames(query, 'hosts') ?? []).filter((name) => name.trim() !== '');
    const isAll = (query?.get('hosts') ?? '') === '';
    return feed.read((view, version) => {
      const wanted = new Set(names.map((name) => canonicalAddress(name.trim())));
      const ruleSets = isAll ? view.allRules() : view.allRules().filter(([host]) => wanted.has(host));
      return answerOf({ form, body: renderRuleSets(ruleSets, form), version });
    });
  }

  /** POST and PUT alike set the whole list of each host in the body. */
  async put(request: ManageRequest): Promise<Answer> {
    const { form } = request;
    const { feed, settings } = this.#parts;
    const document = await readJson(request, this.#parts);
    if (document.type === 'problem') return problemAnswer(document.problem, form, feed.version);
    const rules = readRuleSets(document.value, settings);
    if (rules.type === 'problem') return problemAnswer(rules.problem, form, feed.version);
    return write({ type: 'setRules', rules: rules.value }, form, this.#parts);
  }

  /** Deletes nothing unless `hosts` names somebody. */
  async delete({ query, form }: ManageRequest): Promise<Answer> {
    const hosts = new Set<string>();
    for (const name of readNames(query, 'hosts') ?? []) {
      const host = canonicalAddress(name.trim());
      if (host !== null) hosts.add(host);
    }
    return write({ type: 'deleteRules', hosts: [...hosts] }, form, this.#parts);
  }
}
