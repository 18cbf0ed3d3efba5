import { ROOT } from '@metad/kv-store';
import type { Tree } from './found.ts';

/**
 * What JSON and YAML show. Objects are Maps: a plain object would reorder names that look like numbers and stumble over
 * `__proto__`.
 */
export type Document = Scalar | readonly Document[] | ReadonlyMap<string, Document>;

export type Scalar = string | number | boolean | null;

type Branch = Map<string, Document>;

/** A tree as a part of a larger document: the members of its objects are in the order of `tree.leaves`. */
export function documentOf(tree: Tree): Document {
  const root: Branch = new Map();
  const branches = new Map<string, Branch>([[ROOT, root]]);
  for (const path of tree.emptyTrees) branchAt(path, branches);
  for (const [path, value] of tree.leaves) {
    const slash = path.lastIndexOf('/');
    branchAt(slash <= 0 ? ROOT : path.slice(0, slash), branches).set(path.slice(slash + 1), value);
  }
  return root;
}

function branchAt(path: string, branches: Map<string, Branch>): Branch {
  const known = branches.get(path);
  if (known !== undefined) return known;
  const slash = path.lastIndexOf('/');
  const branch: Branch = new Map();
  branchAt(slash <= 0 ? ROOT : path.slice(0, slash), branches).set(path.slice(slash + 1), branch);
  branches.set(path, branch);
  return branch;
}

export function isScalar(document: Document): document is Scalar {
  return typeof document !== 'object' || document === null;
}

export function isObject(
  document: readonly Document[] | ReadonlyMap<string, Document>,
): document is ReadonlyMap<string, Document> {
  return document instanceof Map;
}

/** An object with exactly these members, in this order. */
export function record(members: Readonly<Record<string, Document>>): Document {
  return new Map(Object.entries(members));
}
