import { joinPath, type Leaf, ROOT } from '@metad/kv-store';
import { describePathExcess, findPathExcess } from '../http/path-limits.ts';
import {
  badRequest,
  type Checked,
  invalidJson,
  ok,
  type Problem,
  refuse,
  tooLarge,
} from '../http/problem.ts';
import { plainDecimal } from './decimal.ts';
import { isJsonArray, isJsonObject, type JsonObject, type JsonScalar, type JsonValue } from './json-body.ts';
import { findLeafExcess, type LeafLimits } from './leaf-limits.ts';

/**
 * Turns a JSON document into the leaves that it stands for when it is written at `base`, a canonical path. Scalars become
 * strings, arrays maps with the keys `0`, `1`, …; empty objects and arrays leave nothing behind. A key is a piece of a
 * path; an empty key of the document's own object is skipped, a deeper one names the place that holds it.
 */
export function flatten(base: string, document: JsonValue, limits: LeafLimits): Checked<Leaf[]> {
  const flattener = new Flattener(base, document, limits);
  flattener.add(document, []);
  return flattener.problem === null ? ok([...flattener.leaves]) : refuse(flattener.problem);
}

class Flattener {
  /** By path: of two that are written alike the last one counts. */
  readonly leaves = new Map<string, string>();
  /** The first that was met; nothing is added after it. */
  problem: Problem | null = null;
  readonly #base: string;
  readonly #document: JsonValue;
  readonly #limits: LeafLimits;

  constructor(base: string, document: JsonValue, limits: LeafLimits) {
    this.#base = base;
    this.#document = document;
    this.#limits = limits;
  }

  /** `names` lead from the base to `value`. */
  add(value: JsonValue, names: readonly string[]): void {
    if (this.problem !== null) return;
    if (isJsonArray(value)) {
      for (const [i, item] of value.entries()) this.add(item, [...names, String(i)]);
    } else if (isJsonObject(value)) {
      this.#addMembers(value, names, value === this.#document);
    } else {
      this.#addLeaf(value, names);
    }
  }

  #addMembers(object: JsonObject, names: readonly string[], isDocument: boolean): void {
    for (const [rawKey, member] of Object.entries(object)) {
      const key = rawKey.toWellFormed();
      if (key === '' && isDocument) continue;
      const path = resolveKey(names, key);
      if (path === null) {
        this.problem ??= badRequest(
          `the key ${JSON.stringify(key)} is a path out of the place that is written`,
        );
        return;
      }
      this.add(member, path);
    }
  }

  #addLeaf(scalar: JsonScalar, names: readonly string[]): void {
    const path = names.length === 0 ? this.#base : joinPath(this.#base, `/${names.join('/')}`);
    const value = scalarText(scalar);
    this.problem = value === null ? invalidJson('a number is too large') : this.#findProblem(path, value);
    if (value === null || this.problem !== null) return;
    this.leaves.set(path, value);
    this.problem = findLeafExcess(this.leaves.size, this.#limits);
  }

  #findProblem(path: string, value: string): Problem | null {
    if (path === ROOT) return badRequest('the root is a tree: it cannot hold a value of its own');
    const excess = findPathExcess(path, this.#limits);
    if (excess !== null) return badRequest(describePathExcess(excess, this.#limits));
    const { maxValueBytes } = this.#limits;
    const isTooLong = value.length * 3 > maxValueBytes && Buffer.byteLength(value) > maxValueBytes;
    return isTooLong ? tooLarge(`the value of ${path} is longer than ${maxValueBytes} bytes`) : null;
  }
}

/** Null when the key leads out of the place at which `names` begin. */
function resolveKey(names: readonly string[], key: string): readonly string[] | null {
  if (!key.includes('/') && key !== '' && key !== '.' && key !== '..') return [...names, key];
  const resolved = [...names];
  for (const segment of key.split('/')) {
    if (segment === '..') {
      if (resolved.pop() === undefined) return null;
    } else if (segment !== '' && segment !== '.') {
      resolved.push(segment);
    }
  }
  return resolved;
}

/** Null for a number beyond a double, which is what JSON.parse makes infinite. */
function scalarText(value: JsonScalar): string | null {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'number') return value === null ? '' : String(value);
  return Number.isFinite(value) ? plainDecimal(value) : null;
}
