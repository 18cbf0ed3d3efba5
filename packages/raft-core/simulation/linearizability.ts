import { searchOrder } from './linearizability-search.ts';
import { explainViolation, type Violation } from './linearizability-violation.ts';
import type { Operation } from './operation.ts';

export type Verdict = Linearizable | Violation | Undecided;

export interface Linearizable {
  readonly type: 'linearizable';
}

/** No violation was found, but these keys' histories were not searched to the end. */
export interface Undecided {
  readonly type: 'undecided';
  readonly keys: readonly string[];
}

export interface CheckOptions {
  /**
   * Bounds time and memory: a step takes one operation into an order that is tried. A history without surprises costs
   * about as many steps as it has operations. As many again may be spent on explaining a violation.
   */
  readonly maxStepsPerKey?: number;
}

export const DEFAULT_MAX_STEPS_PER_KEY = 3_000_000;

/**
 * Whether the operations can be put into one order, in which each that returned before another was called comes before
 * it, and each read sees the write of its key before it (Herlihy and Wing, "Linearizability", 1990). Linearizability
 * is local: it holds for a system if it holds for each key. Each key is a register that has no value at first.
 */
export function checkLinearizable(
  operations: readonly Operation[],
  { maxStepsPerKey = DEFAULT_MAX_STEPS_PER_KEY }: CheckOptions = {},
): Verdict {
  const undecided: string[] = [];
  for (const [key, ofKey] of byKey(operations)) {
    const result = searchOrder(ofKey, { left: maxStepsPerKey });
    if (result === 'violation') return explainViolation(key, ofKey, { left: maxStepsPerKey });
    if (result === 'undecided') undecided.push(key);
  }
  return undecided.length === 0 ? { type: 'linearizable' } : { type: 'undecided', keys: undecided };
}

function byKey(operations: readonly Operation[]): Map<string, Operation[]> {
  const keys = new Map<string, Operation[]>();
  for (const operation of operations) {
    const ofKey = keys.get(operation.key);
    if (ofKey === undefined) keys.set(operation.key, [operation]);
    else ofKey.push(operation);
  }
  return keys;
}
