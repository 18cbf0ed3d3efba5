import { type Problem, tooLarge } from '../http/problem.ts';
import type { ReadLimits } from '../read/leaf-reader.ts';

const MAX_TREE_BYTES = 64 * 1024 * 1024;

/** More than one write may hold is not answered at once, nor more than 64 MiB of values. */
export function wholeTreeLimits({ maxLeaves }: { readonly maxLeaves: number }): ReadLimits {
  return { maxLeaves, maxBytes: MAX_TREE_BYTES };
}

export function moreThan(limits: ReadLimits): Problem {
  const most = describeLimits(limits);
  return tooLarge(`this is more than ${most}: read it in pages, with limit=1000 and the cursor of each page`);
}

export function describeLimits({ maxLeaves, maxBytes }: ReadLimits): string {
  return `${maxLeaves} values or ${maxBytes / 1024 / 1024} MiB`;
}
