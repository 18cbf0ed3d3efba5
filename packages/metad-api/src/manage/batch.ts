import {
  type ContentCommand,
  canonicalPath,
  isAtOrBelow,
  type Precondition,
  ROOT,
  version,
} from '@metad/kv-store';
import { z } from 'zod';
import { describePathExcess, findPathExcess } from '../http/path-limits.ts';
import { badRequest, type Checked, invalidJson, ok, type Problem, refuse } from '../http/problem.ts';
import { findPathProblem, splitTarget } from '../http/target.ts';
import type { JsonValue } from './json-body.ts';
import { findLeafExcess, type LeafLimits } from './leaf-limits.ts';
import { deleteFromTree, deleteRules, setRules, writeTree } from './operations.ts';
import type { TreeKind, TreeKinds } from './tree-kind.ts';

/** Several operations that are done together, and what must hold before. */
export interface Batch {
  readonly preconditions: readonly Precondition[];
  readonly operations: readonly ContentCommand[];
}

/** The trees of the API, and the limits of one write. */
export interface BatchRules extends LeafLimits {
  readonly kinds: TreeKinds;
}

const MAX_ITEMS = 1000;
const RULES_TARGET = '/v1/rule';

const NAMES = z.array(z.string()).optional();
const CONDITION = z
  .strictObject({
    tree: z.enum(['data', 'mapping']).default('data'),
    path: z.string(),
    version: z.int().positive().optional(),
    absent: z.literal(true).optional(),
    present: z.literal(true).optional(),
    equals: z.string().optional(),
  })
  .refine((item) => countOf(item.version, item.absent, item.present, item.equals) === 1, {
    error: 'has exactly one of "version", "absent", "present" and "equals"',
  });
const OPERATION = z
  .strictObject({
    put: z.string().optional(),
    post: z.string().optional(),
    delete: z.string().optional(),
    value: z.custom<JsonValue>((value) => value !== undefined).optional(),
    subs: NAMES,
    hosts: NAMES,
  })
  .refine((item) => countOf(item.put, item.post, item.delete) === 1, {
    error: 'has exactly one of "put", "post" and "delete"',
  })
  .refine((item) => (item.delete === undefined) === (item.value !== undefined), {
    error: 'has a "value" if and only if it is a "put" or a "post"',
  });
const BATCH = z.strictObject({
  if: z.array(CONDITION).max(MAX_ITEMS).default([]),
  do: z.array(OPERATION).min(1).max(MAX_ITEMS),
});

type ConditionItem = z.infer<typeof CONDITION>;
type OperationItem = z.infer<typeof OPERATION>;

/** Reads the body of a batch. What is wrong with it names the item: `do[3]: …`. */
export function readBatch(document: JsonValue, rules: BatchRules): Checked<Batch> {
  const parsed = BATCH.safeParse(document);
  if (!parsed.success) return refuse(invalidJson(describe(parsed.error)));
  const preconditions = readItems('if', parsed.data.if, (item) => readCondition(item, rules));
  if (preconditions.type === 'problem') return preconditions;
  const operations = readItems('do', parsed.data.do, (item) => readOperation(item, rules));
  if (operations.type === 'problem') return operations;
  const excess = findLeafExcess(leavesIn(operations.value), rules);
  if (excess !== null) return refuse(excess);
  return ok({ preconditions: preconditions.value, operations: operations.value });
}

function readItems<I, T>(list: string, items: readonly I[], read: (item: I) => Checked<T>): Checked<T[]> {
  const values: T[] = [];
  for (const [i, item] of items.entries()) {
    const value = read(item);
    if (value.type === 'problem') return refuse(atItem(`${list}[${i}]`, value.problem));
    values.push(value.value);
  }
  return ok(values);
}

function atItem(place: string, problem: Problem): Problem {
  return { ...problem, message: `${place}: ${problem.message}` };
}

function readCondition(item: ConditionItem, rules: BatchRules): Checked<Precondition> {
  const path = canonicalPath(item.path.toWellFormed());
  const excess = findPathExcess(path, rules);
  if (excess !== null) return refuse(badRequest(describePathExcess(excess, rules)));
  const stored = rules.kinds[item.tree].locate(path);
  if (stored === null) return refuse(badRequest(`${path} names no ip address`));
  const at = { tree: item.tree, path: stored };
  if (item.version !== undefined)
    return ok({ type: 'unchangedSince', ...at, version: version(item.version) });
  if (item.equals !== undefined) return ok({ type: 'equals', ...at, value: item.equals.toWellFormed() });
  return ok({ type: item.absent ? 'absent' : 'present', ...at });
}

function readOperation(item: OperationItem, rules: BatchRules): Checked<ContentCommand> {
  const target = splitTarget(item.put ?? item.post ?? item.delete ?? ROOT);
  if (target.type === 'problem') return target;
  const { path, query } = target.value;
  if (query !== null) return refuse(badRequest('a target has no query: options are members of the item'));
  if (path === RULES_TARGET) return ruleOperation(item, rules);
  for (const kind of Object.values(rules.kinds)) {
    const top = `/v1/${kind.tree}`;
    if (!isAtOrBelow(path, top)) continue;
    const below = path.slice(top.length) || ROOT;
    const excess = findPathProblem(below, rules);
    return excess === null ? treeOperation(item, kind, below) : refuse(excess);
  }
  return refuse(badRequest(`${path} is no path of /v1/data, /v1/mapping or ${RULES_TARGET}`));
}

function treeOperation(item: OperationItem, kind: TreeKind, path: string): Checked<ContentCommand> {
  if (item.hosts !== undefined) return refuse(badRequest(`"hosts" is for ${RULES_TARGET}`));
  if (item.value === undefined) return deleteFromTree(kind, { path, names: item.subs ?? null });
  if (item.subs !== undefined) return refuse(badRequest('"subs" is for "delete"'));
  return writeTree(kind, item.put === undefined ? 'replace' : 'merge', { path, document: item.value });
}

function ruleOperation(item: OperationItem, rules: BatchRules): Checked<ContentCommand> {
  if (item.subs !== undefined) return refuse(badRequest('"subs" is for data and mappings'));
  if (item.value === undefined) return ok(deleteRules(item.hosts ?? []));
  if (item.hosts !== undefined) return refuse(badRequest('"hosts" is for "delete"'));
  return setRules(item.value, rules);
}

function leavesIn(operations: readonly ContentCommand[]): number {
  let count = 0;
  for (const operation of operations) if ('leaves' in operation) count += operation.leaves.length;
  return count;
}

function countOf(...members: readonly unknown[]): number {
  return members.filter((member) => member !== undefined).length;
}

function describe(error: z.ZodError): string {
  const [issue] = error.issues;
  const [list, index, ...members] = issue?.path ?? [];
  const item =
    list === undefined
      ? 'the batch'
      : index === undefined
        ? `"${String(list)}"`
        : `${String(list)}[${String(index)}]`;
  const member = members.length === 0 ? '' : ` ${members.map(String).join('.')}`;
  return `${item}${member}: ${issue?.message ?? 'of another shape'}`;
}
