import { ok } from '../http/problem.ts';
import { flatten } from './flatten.ts';
import type { LeafLimits } from './leaf-limits.ts';
import type { TreeKind } from './tree-kind.ts';

/** The metadata itself: any path, any JSON. */
export function dataTree(limits: LeafLimits): TreeKind {
  return {
    tree: 'data',
    locate: (path) => path,
    leavesOf: (path, document) => {
      const leaves = flatten(path, document, limits);
      return leaves.type === 'ok' ? ok({ path, leaves: leaves.value }) : leaves;
    },
    childName: (_path, name) => (name.trim() === '' ? null : name),
  };
}
