import { StepMeter, type Steps } from './steps.ts';

/** How two items are ordered, as of `Array.sort`. */
type Compare<T> = (a: T, b: T) => number;

/** Sorts in steps: at once what is sorted already, and quickly what is made of few such runs. Equal items stay in order. */
export function* sorted<T>(items: readonly T[], compare: Compare<T>): Steps<readonly T[]> {
  const meter = new StepMeter();
  let runs: (readonly T[])[] = [];
  let start = 0;
  for (let i = 1; i < items.length; i += 1) {
    if (isBehind(items[i - 1], items[i], compare)) {
      runs.push(items.slice(start, i));
      start = i;
    }
    if (meter.isFullWith(1, 0)) yield;
  }
  if (start === 0) return items;
  runs.push(items.slice(start));
  while (runs.length > 1) runs = yield* mergePairs(runs, compare, meter);
  return runs[0] ?? items;
}

function* mergePairs<T>(
  runs: readonly (readonly T[])[],
  compare: Compare<T>,
  meter: StepMeter,
): Steps<(readonly T[])[]> {
  const merged: (readonly T[])[] = [];
  for (let i = 0; i < runs.length; i += 2) {
    const [one = [], other = []] = runs.slice(i, i + 2);
    merged.push(other.length === 0 ? one : yield* merge([one, other], compare, meter));
  }
  return merged;
}

function* merge<T>(
  [one, other]: readonly [readonly T[], readonly T[]],
  compare: Compare<T>,
  meter: StepMeter,
): Steps<T[]> {
  const merged: T[] = [];
  let i = 0;
  let j = 0;
  while (i < one.length || j < other.length) {
    const [a, b] = [one[i], other[j]];
    const next = a === undefined || (b !== undefined && isBehind(a, b, compare)) ? b : a;
    if (next === undefined) break;
    if (next === a) i += 1;
    else j += 1;
    merged.push(next);
    if (meter.isFullWith(1, 0)) yield;
  }
  return merged;
}

function isBehind<T>(a: T | undefined, b: T | undefined, compare: Compare<T>): boolean {
  return a !== undefined && b !== undefined && compare(a, b) > 0;
}
