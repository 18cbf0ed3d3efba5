import { valueIn } from './linearizability-history.ts';
import { type StepBudget, searchOrder } from './linearizability-search.ts';
import type { Operation } from './operation.ts';

/** A key's clients saw what no order of their operations explains. */
export interface Violation {
  readonly type: 'violation';
  readonly key: string;
  /** With the answers given up to here there is a contradiction; with those given before there was none. */
  readonly at: number;
  /** The key's operations called up to `at`. One that had not returned by then has the outcome `unknown`. */
  readonly prefix: readonly Operation[];
  /** Those of `prefix` that contradict each other already, by call: as few as are needed, and the writes they read. */
  readonly core: readonly Operation[];
}

/**
 * Finds the earliest moment of a violation, and the few operations that make it. Both rest on one fact: whoever knows
 * less sees fewer contradictions. A history that is linearizable stays so when an operation's outcome is forgotten
 * (`forget`), and when it is cut off at a moment. When the budget runs out, the rest is left as it is: the result is
 * still a violation, but not the smallest.
 */
export function explainViolation(
  key: string,
  operations: readonly Operation[],
  budget: StepBudget,
): Violation {
  const contradicts = (some: readonly Operation[]) => searchOrder(some, budget) === 'violation';
  const at = firstContradiction(operations, contradicts);
  const prefix = prefixOf(operations, at);
  const core = coreOf(prefix, contradicts).sort((a, b) => a.call - b.call);
  return { type: 'violation', key, at, prefix, core };
}

type Predicate = (operations: readonly Operation[]) => boolean;

/** The first return by which there is a contradiction: by bisection, for once there is one, it stays. */
function firstContradiction(operations: readonly Operation[], contradicts: Predicate): number {
  const returns = operations.map(returnOf).filter((at) => at < Number.POSITIVE_INFINITY);
  returns.sort((a, b) => a - b);
  let low = 0;
  let high = returns.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (contradicts(prefixOf(operations, returns[middle] ?? 0))) high = middle;
    else low = middle + 1;
  }
  return returns[high] ?? 0;
}

/** What was known at a moment. */
function prefixOf(operations: readonly Operation[], at: number): Operation[] {
  const called = operations.filter(({ call }) => call <= at);
  return called.map((operation) =>
    operation.outcome.type === 'ok' && operation.outcome.at > at ? forget(operation) : operation,
  );
}

/**
 * The operations whose outcome matters, and the writes of what they read. Reads are forgotten first: the fewer answers
 * have to be explained, the more is explained by their writes' times alone.
 */
function coreOf(prefix: readonly Operation[], contradicts: Predicate): Operation[] {
  const indexes = [...prefix.keys()];
  const isRead = (index: number) => prefix[index]?.type === 'read';
  const fewerReads = forgetMost(prefix, indexes.filter(isRead), contradicts);
  const known = forgetMost(
    fewerReads,
    indexes.filter((index) => !isRead(index)),
    contradicts,
  );
  const seen = new Set(
    known.filter(({ type, outcome }) => type === 'read' && outcome.type === 'ok').map(valueIn),
  );
  return prefix.filter(
    (operation, index) =>
      known[index]?.outcome.type === 'ok' || (operation.type !== 'read' && seen.has(valueIn(operation))),
  );
}

/**
 * Forgets as many of these outcomes as the contradiction can spare: by the half, then by the quarter, and so on to one
 * by one. None of those left can be spared, for what could not be when more was known cannot be now.
 */
function forgetMost(
  operations: readonly Operation[],
  indexes: readonly number[],
  contradicts: Predicate,
): readonly Operation[] {
  let known = operations;
  for (let size = Math.ceil(indexes.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < indexes.length; start += size) {
      const chosen = new Set(indexes.slice(start, start + size));
      const fewer = known.map((operation, index) => (chosen.has(index) ? forget(operation) : operation));
      if (contradicts(fewer)) known = fewer;
    }
  }
  return known;
}

function forget(operation: Operation): Operation {
  if (operation.outcome.type !== 'ok') return operation;
  return { ...operation, outcome: { type: 'unknown' } };
}

function returnOf({ outcome }: Operation): number {
  return outcome.type === 'ok' ? outcome.at : Number.POSITIVE_INFINITY;
}
