import { StepMeter, type Steps } from '../steps.ts';
import { compareUnits } from './utf8-order.ts';

/** A path and its value; null: a tree of which nothing else may be there. */
export type Node = readonly [path: string, value: string | null];

/**
 * The nodes as a walk through the tree meets them, where each object has its members in the order of their names. That is
 * nearly the order of the paths, in which leaves come: only what is below `/a` is behind `/a-b` there, and before it here.
 */
export function* inNameOrder(nodes: readonly Node[]): Steps<readonly Node[]> {
  const meter = new StepMeter();
  let runs: (readonly Node[])[] = [];
  let start = 0;
  for (let i = 1; i < nodes.length; i += 1) {
    if (isBehind(nodes[i - 1], nodes[i])) {
      runs.push(nodes.slice(start, i));
      start = i;
    }
    if (meter.isFullWith(1, 0)) yield;
  }
  if (start === 0) return nodes;
  runs.push(nodes.slice(start));
  while (runs.length > 1) runs = yield* mergePairs(runs, meter);
  return runs[0] ?? nodes;
}

function* mergePairs(runs: readonly (readonly Node[])[], meter: StepMeter): Steps<(readonly Node[])[]> {
  const merged: (readonly Node[])[] = [];
  for (let i = 0; i < runs.length; i += 2) {
    const [one = [], other = []] = runs.slice(i, i + 2);
    merged.push(other.length === 0 ? one : yield* merge(one, other, meter));
  }
  return merged;
}

function* merge(one: readonly Node[], other: readonly Node[], meter: StepMeter): Steps<Node[]> {
  const merged: Node[] = [];
  let i = 0;
  let j = 0;
  while (i < one.length || j < other.length) {
    const [a, b] = [one[i], other[j]];
    const next = a === undefined || (b !== undefined && isBehind(a, b)) ? b : a;
    if (next === undefined) break;
    if (next === a) i += 1;
    else j += 1;
    merged.push(next);
    if (meter.isFullWith(1, 0)) yield;
  }
  return merged;
}

function isBehind(a: Node | undefined, b: Node | undefined): boolean {
  return a !== undefined && b !== undefined && compareNames(a[0], b[0]) > 0;
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
