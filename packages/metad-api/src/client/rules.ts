import {
  expectDocument,
  type ManageCalls,
  type ManageReadOptions,
  type WriteOptions,
  type WriteResult,
} from './manage-call.ts';
import { nameList, targetOf } from './target.ts';

export interface AccessRule {
  /** `*` stands for one name. */
  readonly path: string;
  /** 1 reads, 0 forbids. */
  readonly mode: 0 | 1;
}

/** Rules by the client's address. */
export type RuleSets = Readonly<Record<string, readonly AccessRule[]>>;

/** The access rules: `manage.rules`. */
export class ManagedRules {
  readonly #calls: ManageCalls;

  constructor(calls: ManageCalls) {
    this.#calls = calls;
  }

  /** The rules of these clients, or of all. */
  async get({
    hosts,
    consistency,
    ...options
  }: ManageReadOptions & { readonly hosts?: readonly string[] | undefined } = {}): Promise<{
    readonly rules: RuleSets;
    readonly version: number;
  }> {
    // Without names the node shows all, which is not what an empty list asks for.
    const names = hosts === undefined ? undefined : nameList(hosts) || ',';
    const target = targetOf('/v1/rule', '/', { hosts: names, consistency });
    const { version, document } = await this.#calls.read(target, options);
    return { rules: expectDocument(document, isRuleSets, 'lists of rules'), version };
  }

  /** Sets the whole list of each client that is named. */
  set(rules: RuleSets, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#calls.write({ method: 'PUT', target: '/v1/rule', body: rules }, options);
  }

  /** Deletes the rules of these clients. */
  async delete(hosts: readonly string[], options: WriteOptions = {}): Promise<WriteResult> {
    const target = targetOf('/v1/rule', '/', { hosts: nameList(hosts) });
    return this.#calls.write({ method: 'DELETE', target }, options);
  }
}

function isRuleSets(document: unknown): document is RuleSets {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return false;
  return Object.values(document).every((list: unknown) => Array.isArray(list) && list.every(isRule));
}

export function isRule(rule: unknown): rule is AccessRule {
  if (typeof rule !== 'object' || rule === null || !('path' in rule) || !('mode' in rule)) return false;
  return typeof rule.path === 'string' && (rule.mode === 0 || rule.mode === 1);
}
