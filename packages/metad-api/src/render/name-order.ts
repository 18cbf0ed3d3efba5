import { sorted } from '../merge-sort.ts';
import type { Steps } from '../steps.ts';
import { compareUnits } from './utf8-order.ts';

/** A path and its value; null: a tree of which nothing else may be there. */
export type Node = readonly [path: string, value: string | null];

/**
 * The nodes as a walk through the tree meets them, where each object has its members in the order of their names. That is
 * nearly the order of the paths, in which leaves come: only what is below `/a` is behind `/a-b` there, and before it here.
 */
export function inNameOrder(nodes: readonly Node[]): Steps<readonly Node[]> {
  return sorted(nodes, ([a], [b]) => compareNames(a, b));
}

/** Orders paths by one name after the other: as their bytes, but for the slash, which is before all. */
function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x === SLASH ? -1 : y === SLASH ? 1 : compareUnits(x, y);
  }
  return a.length - b.length;
}

const SLASH = 0x2f;
