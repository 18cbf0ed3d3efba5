import {
  isAtOrBelow,
  type Leaf,
  ROOT,
  type StateView,
  segmentsOf,
  type TreeName,
  type Version,
} from '@metad/kv-store';
import { type Answer, answerOf, problemAnswer } from '../http/answer.ts';
import { badRequest, type Checked, NOT_FOUND, ok, type Problem, refuse, tooLarge } from '../http/problem.ts';
import { relativeTo } from '../read/data-read.ts';
import { type Document, record } from '../render/document.ts';
import { type Found, MISSING } from '../render/found.ts';
import { renderFound } from '../render/render.ts';
import type { NamedChange } from '../wait/change-window.ts';
import { catchUpWithTags, findUnchanged, tagHeaders } from './conditional-read.ts';
import { cursorOf, readCursor } from './cursor.ts';
import { documentAnswer, documentForm } from './document-answer.ts';
import { readChangesAfter } from './kept-changes.ts';
import { readLeafPage } from './leaf-page.ts';
import type { ManageParts, ManageRequest } from './manage-request.ts';
import { readLimit } from './page-query.ts';
import { pastLeaves } from './past-tree.ts';
import { PastValues } from './past-values.ts';
import type { TreeKind } from './tree-kind.ts';
import { reachVersion, readVersionOption } from './version-query.ts';

/** Leaves of one page; also what a page has that names a cursor only. */
const MAX_PAGE_LEAVES = 1000;
const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** What is answered in one piece; as for the number of leaves, whoever wants more asks for pages. */
const MAX_TREE_BYTES = 64 * 1024 * 1024;

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
    await catchUpWithTags(http, query, catchUp);
    return feed.read((view, version) => {
      if (stored === null) return problemAnswer(NOT_FOUND, form, version);
      const place = { path: stored, version };
      return page === null ? this.#whole(view, place, request) : this.#page(view, place, page, request);
    });
  }

  /** As it was at an earlier version. */
  async #past(path: string, version: Version, { http, form }: ManageRequest): Promise<Answer> {
    const { feed, catchUp, settings } = this.#parts;
    const { tree } = this.#kind;
    const problem = await reachVersion(version, http, catchUp);
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    const past = new PastValues(version);
    const leaves = await readChangesAfter(feed, version, {
      visit(changedAt, change) {
        if (change.kind === tree && isAtOrBelow(change.path, path)) past.add(changedAt, change);
      },
      finish: (view) => {
        const present = readLeaves(view, tree, path, settings);
        return present.type === 'problem'
          ? present
          : ok(pastLeaves(view, { tree, path }, { present: present.value, past }));
      },
    });
    if (leaves.type === 'problem') return problemAnswer(leaves.problem, form, feed.version);
    if (leaves.value.type === 'problem') return problemAnswer(leaves.value.problem, form, feed.version);
    return this.#answerWith(foundIn(path, leaves.value.value), { path, version }, { http, form });
  }

  #whole(view: StateView, at: Place, request: ManageRequest): Answer {
    const leaves = readLeaves(view, this.#kind.tree, at.path, this.#parts.settings);
    if (leaves.type === 'problem') return problemAnswer(leaves.problem, request.form, at.version);
    return this.#answerWith(foundIn(at.path, leaves.value), at, request);
  }

  #answerWith(
    found: Found,
    { path, version }: Place,
    { http, form }: Pick<ManageRequest, 'http' | 'form'>,
  ): Answer {
    if (found.type === 'missing') return problemAnswer(NOT_FOUND, form, version);
    const { format } = form;
    const concerns = (change: NamedChange) => concernsTree(change, this.#kind.tree, path);
    const unchanged = findUnchanged(http, this.#parts.feed, { version, format, concerns });
    if (unchanged !== null) return unchanged;
    return answerOf({ form, body: renderFound(found, form), version, headers: tagHeaders(version, format) });
  }

  #page(view: StateView, { path, version }: Place, { limit, after }: Page, request: ManageRequest): Answer {
    const { http, form } = request;
    const { tree } = this.#kind;
    const limits = { maxLeaves: limit, maxBytes: MAX_PAGE_BYTES };
    const { leaves, hasMore } = readLeafPage(view, { tree, path, after }, limits);
    const last = leaves.at(-1);
    if (last === undefined && after === null && path !== ROOT) return problemAnswer(NOT_FOUND, form, version);
    const { format } = documentForm(form);
    const concerns = (change: NamedChange) => concernsTree(change, tree, path);
    const unchanged = findUnchanged(http, this.#parts.feed, { version, format, concerns });
    if (unchanged !== null) return unchanged;
    const cursor = hasMore && last !== undefined ? cursorOf(last[0]) : null;
    const document = record({ leaves: new Map<string, Document>(leaves), cursor });
    return documentAnswer(document, form, { version, headers: tagHeaders(version, format) });
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

/** A tree that is too large for one answer is refused: to read it would hold up everybody else. */
function readLeaves(
  view: StateView,
  tree: TreeName,
  path: string,
  { maxLeaves }: { readonly maxLeaves: number },
): Checked<readonly Leaf[]> {
  const at = { tree, path, after: null };
  const { leaves, hasMore } = readLeafPage(view, at, { maxLeaves, maxBytes: MAX_TREE_BYTES });
  return hasMore ? refuse(largeTree(maxLeaves)) : ok(leaves);
}

function foundIn(path: string, leaves: readonly Leaf[]): Found {
  const [first] = leaves;
  if (first?.[0] === path) return { type: 'leaf', value: first[1] };
  if (first === undefined && path !== ROOT) return MISSING;
  return { type: 'tree', leaves: relativeTo(path, leaves), emptyTrees: [] };
}

function largeTree(maxLeaves: number): Problem {
  const most = `${maxLeaves} values or ${MAX_TREE_BYTES / 1024 / 1024} MiB`;
  return tooLarge(`this is more than ${most}: read it in pages, with limit=1000 and the cursor of each page`);
}

function concernsTree(change: NamedChange, tree: TreeName, path: string): boolean {
  if (change.type !== tree) return false;
  if (change.type === 'data') return change.paths.some((changed) => isAtOrBelow(changed, path));
  const [host] = segmentsOf(path);
  return host === undefined || change.hosts.includes(host);
}
