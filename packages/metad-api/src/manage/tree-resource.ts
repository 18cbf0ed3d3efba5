import { joinPath, ROOT, type StateView, type TreeName } from '@metad/kv-store';
import { type Answer, answerOf, problemAnswer } from '../http/answer.ts';
import { badRequest, NOT_FOUND } from '../http/problem.ts';
import { relativeTo } from '../read/data-read.ts';
import { type Found, MISSING } from '../render/found.ts';
import { renderFound } from '../render/render.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { readNames } from './name-list.ts';
import type { TreeKind } from './tree-kind.ts';
import { readJson, write } from './write.ts';

/** `/v1/data` or `/v1/mapping`. */
export class TreeResource {
  readonly #kind: TreeKind;
  readonly #parts: ManageParts;

  constructor(kind: TreeKind, parts: ManageParts) {
    this.#kind = kind;
    this.#parts = parts;
  }

  async get({ http, path, query, form }: ManageRequest): Promise<Answer> {
    const { feed, freshness } = this.#parts;
    const problem = await freshness.ensure(http, query, 'linearizable');
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    const { tree } = this.#kind;
    const stored = this.#kind.locate(path);
    return feed.read((view, version) => {
      const found = stored === null ? MISSING : readTree(view, tree, stored);
      if (found.type === 'missing') return problemAnswer(NOT_FOUND, form, version);
      return answerOf({ form, body: renderFound(found, form), version });
    });
  }

  /** PUT merges, POST deletes the node first. */
  async put(request: ManageRequest, how: 'merge' | 'replace'): Promise<Answer> {
    const { form } = request;
    const { feed } = this.#parts;
    const { tree } = this.#kind;
    const document = await readJson(request, this.#parts);
    if (document.type === 'problem') return problemAnswer(document.problem, form, feed.version);
    const written = this.#kind.leavesOf(request.path, document.value);
    if (written.type === 'problem') return problemAnswer(written.problem, form, feed.version);
    const { path, leaves } = written.value;
    const command =
      how === 'merge' ? ({ type: how, tree, leaves } as const) : ({ type: how, tree, path, leaves } as const);
    return write(command, form, this.#parts);
  }

  /** With `subs` only the children that it names; one that there is not changes nothing. */
  async delete({ path, query, form }: ManageRequest): Promise<Answer> {
    const { tree } = this.#kind;
    const names = readNames(query, 'subs');
    if (names?.some((name) => name.includes('/'))) {
      const problem = badRequest('subs holds names of children and no path');
      return problemAnswer(problem, form, this.#parts.feed.version);
    }
    const stored = this.#kind.locate(path);
    const paths = stored === null ? [] : names === null ? [stored] : this.#children(stored, names);
    return write({ type: 'delete', tree, paths }, form, this.#parts);
  }

  #children(parent: string, names: readonly string[]): string[] {
    const paths = new Set<string>();
    for (const name of names) {
      const child = this.#kind.childName(parent, name);
      if (child !== null && child !== '.' && child !== '..') paths.add(joinPath(parent, `/${child}`));
    }
    return [...paths];
  }
}

function readTree(view: StateView, tree: TreeName, path: string): Found {
  const leaves = view.leaves(tree, path);
  const [first] = leaves;
  if (first?.[0] === path) return { type: 'leaf', value: first[1] };
  if (first === undefined && path !== ROOT) return MISSING;
  return { type: 'tree', leaves: relativeTo(path, leaves), emptyTrees: [] };
}
