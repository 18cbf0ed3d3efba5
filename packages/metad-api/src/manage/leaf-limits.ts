import type { PathLimits } from '../http/path-limits.ts';
import { type Problem, tooLarge } from '../http/problem.ts';

export interface LeafLimits extends PathLimits {
  readonly maxValueBytes: number;
  /** One write is applied in one go, on every node: this bounds for how long it holds them up. */
  readonly maxLeaves: number;
}

/** Null while one write may hold `count` leaves. */
export function findLeafExcess(count: number, { maxLeaves }: LeafLimits): Problem | null {
  return count <= maxLeaves ? null : tooLarge(`one write holds at most ${maxLeaves} values: send several`);
}
