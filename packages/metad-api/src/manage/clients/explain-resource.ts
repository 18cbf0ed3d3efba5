import { canonicalPath, type Leaf, type StateView, type Version } from '@metad/kv-store';
import { unreachable } from '@metad/raft-core';
import type { ClientProfile } from '../../access/client-profile.ts';
import { type Answer, problemAnswer } from '../../http/answer.ts';
import { describePathExcess, findPathExcess } from '../../http/path-limits.ts';
import { badRequest, type Checked, ok, refuse } from '../../http/problem.ts';
import { LeafReader, METADATA_LIMITS } from '../../read/leaf-reader.ts';
import { readMetadata } from '../../read/metadata-read.ts';
import { type Document, documentOf, record } from '../../render/document.ts';
import type { Found } from '../../render/found.ts';
import { nameOf } from '../../render/render.ts';
import type { Steps } from '../../steps.ts';
import { documentQuestion } from '../document-answer.ts';
import type { ManageParts, ManageRequest } from '../manage-request.ts';
import { readLimit } from '../page-query.ts';
import { clientProfile, readClient } from './client-question.ts';
import { type Branch, explain, type LeafVerdict } from './explanation.ts';

const LIMITS = { standard: 100, max: 1000 };
const MAX_LISTED_BYTES = 4 * 1024 * 1024;

/** What the client gets where there is more than the metadata API answers. */
const UNREADABLE = record({ status: 413, document: null, truncated: false });

interface Question {
  readonly host: string;
  readonly path: string;
  readonly limit: number;
}

/** `/v1/explain?ip=ADDRESS&path=PATH`: what a client sees at a path of the metadata API, and why. */
export class ExplainResource {
  readonly #parts: ManageParts;

  constructor(parts: ManageParts) {
    this.#parts = parts;
  }

  async get({ http, query, form }: ManageRequest): Promise<Answer> {
    const { feed, freshness } = this.#parts;
    const question = this.#read(query);
    if (question.type === 'problem') return problemAnswer(question.problem, form, feed.version);
    const problem = await freshness.ensure(http, query, 'linearizable');
    if (problem !== null) return problemAnswer(problem, form, feed.version);
    const { host, path, limit } = question.value;
    const key = `explain ${nameOf(form)} ${host} ${limit} ${path}`;
    const ask = (view: StateView, version: Version) =>
      documentQuestion({ key, form, version }, () =>
        report(view, clientProfile(host, view, this.#parts), question.value),
      );
    return this.#parts.trees.answer(ask, form, http);
  }

  #read(query: URLSearchParams | null): Checked<Question> {
    const host = readClient(query);
    if (host.type === 'problem') return host;
    const path = canonicalPath((query?.get('path') ?? '').toWellFormed());
    const excess = findPathExcess(path, this.#parts.settings);
    if (excess !== null) return refuse(badRequest(describePathExcess(excess, this.#parts.settings)));
    const limit = readLimit(query, LIMITS);
    return limit.type === 'problem'
      ? limit
      : ok({ host: host.value, path, limit: limit.value ?? LIMITS.standard });
  }
}

function* report(
  view: StateView,
  profile: ClientProfile,
  { host, path, limit }: Question,
): Steps<Checked<Document>> {
  const listed = new LeafReader(view, { maxLeaves: limit, maxBytes: MAX_LISTED_BYTES });
  const { branches, truncated } = yield* explain(listed, profile, { path, maxBranches: limit });
  const reader = new LeafReader(view, METADATA_LIMITS);
  const found = yield* readMetadata(reader, profile, path);
  const answer = reader.isOver ? UNREADABLE : answerDocument(found, limit);
  const document = record({
    version: view.version(),
    ip: host,
    path,
    rules: view.rules(host)?.length ?? null,
    mapping: profile.mapping?.length ?? null,
    branches: branches.map((branch) => branchDocument(branch, profile)),
    truncated,
    answer,
  });
  return ok(document);
}

function branchDocument({ path, data, mapped, leaves }: Branch, profile: ClientProfile): Document {
  const lead = mapped === null ? {} : { key: mapped.key, target: mapped.target };
  return record({
    path,
    data,
    ...lead,
    leaves: leaves.map((leaf) => verdictDocument(leaf, profile)),
  });
}

function verdictDocument(leaf: LeafVerdict, profile: ClientProfile): Document {
  const { path, data, visible } = leaf;
  return record({ path, data, visible, ...reason(leaf, profile) });
}

function reason({ ruling, isBehindSelf }: LeafVerdict, profile: ClientProfile): Record<string, Document> {
  if (isBehindSelf) return { reason: 'the mapping of this client stands in its place' };
  if (ruling === null) {
    const { access, hasRules } = profile;
    if (access === null) return { reason: 'this client has neither rules nor a mapping' };
    return { reason: hasRules ? 'no rule allows it' : 'no target of the mapping leads here' };
  }
  const { path, allows, index } = ruling;
  if (profile.hasRules) return { rule: record({ path, mode: allows ? 1 : 0, index }) };
  return { target: record({ key: profile.mapping?.[index]?.key ?? '', path }) };
}

/** What the client gets, by the same read that answers it; long trees are cut. */
function answerDocument(found: Found, limit: number): Document {
  switch (found.type) {
    case 'missing':
      return record({ status: 404, document: null, truncated: false });
    case 'leaf':
      return record({ status: 200, document: found.value, truncated: false });
    case 'tree': {
      const leaves = beginningOf(found.leaves, limit);
      const emptyTrees = found.emptyTrees.slice(0, limit);
      const truncated = found.leaves.length > leaves.length || found.emptyTrees.length > emptyTrees.length;
      return record({ status: 200, document: documentOf({ type: 'tree', leaves, emptyTrees }), truncated });
    }
    default:
      return unreachable(found);
  }
}

/** At most so many, and no more behind the one that makes them too long. */
function beginningOf(leaves: readonly Leaf[], limit: number): readonly Leaf[] {
  let count = 0;
  let bytes = 0;
  for (const [, value] of leaves) {
    if (count >= limit || bytes >= MAX_LISTED_BYTES) break;
    count += 1;
    bytes += value.length;
  }
  return leaves.slice(0, count);
}
