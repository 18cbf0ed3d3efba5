import type { ContentCommand, Precondition } from '@metad/kv-store';
import { type Answer, problemAnswer } from '../http/answer.ts';
import type { Checked } from '../http/problem.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { readNames } from './name-list.ts';
import { deleteFromTree, writeTree } from './operations.ts';
import type { TreeKind } from './tree-kind.ts';
import { TreeReads } from './tree-reads.ts';
import { readJson, write } from './write.ts';
import { readConditions } from './write-conditions.ts';

/** `/v1/data` or `/v1/mapping`. */
export class TreeResource {
  readonly #kind: TreeKind;
  readonly #parts: ManageParts;
  readonly #reads: TreeReads;

  constructor(kind: TreeKind, parts: ManageParts) {
    this.#kind = kind;
    this.#parts = parts;
    this.#reads = new TreeReads(kind, parts);
  }

  get(request: ManageRequest): Promise<Answer> {
    return this.#reads.get(request);
  }

  /** PUT merges, POST deletes the place first. */
  async put(request: ManageRequest, how: 'merge' | 'replace'): Promise<Answer> {
    const { http, path, form } = request;
    const conditions = readConditions(http, this.#kind, path);
    if (conditions.type === 'problem')
      return problemAnswer(conditions.problem, form, this.#parts.feed.version);
    const document = await readJson(request, this.#parts);
    if (document.type === 'problem') return problemAnswer(document.problem, form, this.#parts.feed.version);
    const operation = writeTree(this.#kind, how, { path, document: document.value });
    return this.#write(operation, conditions.value, request);
  }

  /** With `subs` only the children that it names; one that there is not changes nothing. */
  async delete(request: ManageRequest): Promise<Answer> {
    const { http, path, query, form } = request;
    const conditions = readConditions(http, this.#kind, path);
    if (conditions.type === 'problem')
      return problemAnswer(conditions.problem, form, this.#parts.feed.version);
    const operation = deleteFromTree(this.#kind, { path, names: readNames(query, 'subs') });
    return this.#write(operation, conditions.value, request);
  }

  #write(
    operation: Checked<ContentCommand>,
    preconditions: readonly Precondition[],
    request: ManageRequest,
  ): Promise<Answer> | Answer {
    if (operation.type === 'problem') {
      return problemAnswer(operation.problem, request.form, this.#parts.feed.version);
    }
    return write({ operations: [operation.value], preconditions }, request, this.#parts);
  }
}
