import {
  isAtOrBelow,
  type Leaf,
  ROOT,
  type StateView,
  segmentsOf,
  type TreeName,
  type Version,
} from '@metad/kv-store';
import { type Answer, problemAnswer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { tagHeaders } from '../http/cache-headers.ts';
import { badRequest, type Checked, NOT_FOUND, ok, refuse } from '../http/problem.ts';
import { LeafReader, type ReadLimits } from '../read/leaf-reader.ts';
import { type Reading, refused, type TreeQuestion } from '../read/tree-answers.ts';
import { type Document, record } from '../render/document.ts';
import { foundIn } from '../render/found.ts';
import { type Form, nameOf } from '../render/render.ts';
import { finish } from '../steps.ts';
import type { NamedChange } from '../wait/change-window.ts';
import { catchUpWithTags, findUnchanged } from './conditional-read.ts';
import { cursorOf, readCursor } from './cursor.ts';
import { documentAnswer, documentForm } from './document-answer.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { readLimit } from './page-query.ts';
import { readPastTree } from './past/past-tree.ts';
import type { TreeKind } from './tree-kind.ts';
import { reachVersion, readVersionOption } from './version-query.ts';
import { moreThan, wholeTreeLimits } from './whole-tree.ts';

/** Leaves of one page; also what a page has that names a cursor only. */
const MAX_PAGE_LEAVES = 1000;
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

interface Page {
  readonly limit: number;
  /** The path behind which it begins; null: the first page. */
  readonly after: string | null;
}

interface TreeQuery {
  /** Null: everything at once. */
  readonly page: Page | null;
  /** Null: the present. */
  readonly at: Version | null;
}

/** GET of `/v1/data` and `/v1/mapping`. */
export class TreeReads {
  readonly #kind: TreeKind;
  readonly #parts: ManageParts;

  constructor(kind: TreeKind, parts: ManageParts) {
    this.#kind = kind;
    this.#parts = parts;
  }

  async get(request: ManageRequest): Promise<Answer> {
    const { http, path, query, form } = request;
    const { feed, freshness, catchUp } = this.#parts;
    const stored = this.#kind.locate(path);
    const asked = readQuery(query, stored ?? path);
    if (asked.type === 'problem') return problemAnswer(asked.problem, form, feed.version);
    const problem = await freshness.ensure(http, query, 'linearizable');
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    const { page, at } = asked.value;
    if (at !== null && stored !== null) return this.#past(stored, at, request);
    const { format } = page === null ? form : documentForm(form);
    await catchUpWithTags(http, { query, format }, catchUp);
    if (stored === null)
      return problemAnswer(
        NOT_FOUND,
        form,
        feed.read((_, version) => version),
      );
    if (page === null) return this.#whole(stored, request);
    return feed.read((view, version) => this.#page(view, { path: stored, version }, page, request));
  }

  /** As it was at an earlier version. */
  async #past(path: string, version: Version, { http, query, form }: ManageRequest): Promise<Answer> {
    const { feed, freshness, settings, trees } = this.#parts;
    const problem = await reachVersion(version, { http, query }, freshness);
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    const { tree } = this.#kind;
    const limits = wholeTreeLimits(settings);
    const ask = (view: StateView, now: Version): TreeQuestion => ({
      key: `${tree} ${nameOf(form)} ${version} ${path}`,
      form,
      version,
      *read() {
        const leaves = yield* readPastTree(view, { tree, path, version }, limits);
        if (leaves.type === 'problem') return refused(leaves.problem, form, now);
        return shownAt(path, leaves.value, { form, version });
      },
    });
    const answer = await trees.answer(ask, form, http);
    // Whether there is anything is known only now, and those who share an answer may hold different ones.
    const unchanged = answer.status === 200 ? this.#unchanged(http, form, { path, version }) : null;
    return unchanged ?? answer;
  }

  #whole(path: string, { http, form }: ManageRequest): Answer | Promise<Answer> {
    const { settings, trees } = this.#parts;
    const { tree } = this.#kind;
    const limits = wholeTreeLimits(settings);
    const ask = (view: StateView, version: Version): TreeQuestion => ({
      key: `${tree} ${nameOf(form)} ${path}`,
      form,
      version,
      *read() {
        const reader = new LeafReader(view, limits);
        const leaves = yield* reader.read({ tree, path, as: '', takes: null });
        return reader.isOver
          ? refused(moreThan(limits), form, version)
          : shownAt(path, leaves, { form, version });
      },
      unchanged: () => this.#unchanged(http, form, { path, version }),
    });
    return trees.answer(ask, form, http);
  }

  #unchanged(http: ApiRequest, { format }: Form, { path, version }: Place): Answer | null {
    const concerns = (change: NamedChange) => concernsTree(change, this.#kind.tree, path);
    return findUnchanged(http, this.#parts.feed, { version, format, concerns });
  }

  #page(view: StateView, { path, version }: Place, { limit, after }: Page, request: ManageRequest): Answer {
    const { http, form } = request;
    const { tree } = this.#kind;
    const limits: ReadLimits = { maxLeaves: limit, maxBytes: MAX_PAGE_BYTES };
    const reader = new LeafReader(view, limits);
    const leaves = finish(reader.read({ tree, path, as: null, takes: null, after }));
    const last = leaves.at(-1);
    if (last === undefined && after === null && path !== ROOT) return problemAnswer(NOT_FOUND, form, version);
    const shown = documentForm(form);
    const unchanged = this.#unchanged(http, shown, { path, version });
    if (unchanged !== null) return unchanged;
    const cursor = reader.isOver && last !== undefined ? cursorOf(last[0]) : null;
    const document = record({ leaves: new Map<string, Document>(leaves), cursor });
    return documentAnswer(document, form, { version, headers: tagHeaders(version, shown.format) });
  }
}

/** Where, and at which version. */
interface Place {
  /** As it is stored. */
  readonly path: string;
  readonly version: Version;
}

function readQuery(query: URLSearchParams | null, path: string): Checked<TreeQuery> {
  const limit = readLimit(query, { max: MAX_PAGE_LEAVES });
  if (limit.type === 'problem') return limit;
  const after = readCursor(query, path);
  if (after.type === 'problem') return after;
  const at = readVersionOption(query, 'version');
  if (at.type === 'problem') return at;
  if (limit.value === null && after.value === null) return ok({ page: null, at: at.value });
  if (at.value !== null)
    return refuse(badRequest('an earlier version is not read in pages: ask for a path in it'));
  return ok({ page: { limit: limit.value ?? MAX_PAGE_LEAVES, after: after.value }, at: null });
}

/** The root is there even if nothing is in it. */
function shownAt(
  path: string,
  leaves: readonly Leaf[],
  { form, version }: Pick<TreeQuestion, 'form' | 'version'>,
): Reading {
  if (path === ROOT) return { type: 'tree', leaves, emptyTrees: [] };
  const found = foundIn(leaves, '');
  return found.type === 'missing' ? refused(NOT_FOUND, form, version) : found;
}

function concernsTree(change: NamedChange, tree: TreeName, path: string): boolean {
  if (change.type !== tree) return false;
  if (change.type === 'data') return change.paths.some((changed) => isAtOrBelow(changed, path));
  const [host] = segmentsOf(path);
  return host === undefined || change.hosts.includes(host);
}
