import { INITIAL, type RegisterHistory, registerHistory, type ValueId } from './linearizability-history.ts';
import type { Operation } from './operation.ts';

export type SearchResult = 'linearizable' | 'violation' | 'undecided';

/** Steps that a search may still take; shared by searches that belong together. */
export interface StepBudget {
  left: number;
}

/**
 * Whether some order of one key's operations explains all that was seen, with the key as a register. The search is
 * Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993): take as the next in the order any operation that
 * no other remaining one precedes, a candidate, and go back where that leads nowhere; with Lowe's addition ("Testing
 * for linearizability", 2017): a configuration, that is the set of operations taken and the state, is entered once.
 *
 * What makes it fast is that a register settles most choices. Let a completion be an order of the remaining operations
 * that explains what they saw. Each rule says: if there is a completion, then there is one that goes on as the rule
 * does. A candidate may be moved forward in a completion as far as time is concerned, for nothing remaining precedes it.
 *
 * 1. *A candidate read of the current value goes first.* It changes nothing for the others.
 *    From here on there is no such candidate: every completion begins with a write. What the current value is makes no
 *    difference any more.
 * 2. *A read that has lost its value ends the branch.* A remaining read of the current value will need a write of its
 *    own. If none remains that it may see, known or unknown, there is no completion. (Other reads need no look: of
 *    the writes that they may see none has been taken since the last look, but at the start, when all are looked at.)
 * 3. *A candidate write that no remaining read may see goes first.* At its old place in the completion it is followed
 *    by a write or by the end: taking it out there changes nothing. At the front it is followed by what the completion
 *    began with: a write, or itself.
 * 4. *An unknown write is taken only together with a read of its value, right before it.* In a completion, one that is
 *    followed by a write or by the end can be left out, as one that never takes effect; one that is followed by a read
 *    is followed by a read of its value. So those whose value nobody reads are never taken at all, and any number of
 *    unknown writes costs nothing but where reads ask for them.
 * 5. *Of unknown writes of one value, the earliest called is taken first.* If a completion takes the later one and not
 *    the earlier, then the earlier can take its place: what precedes the earlier precedes the later as well, and an
 *    operation that never returned precedes none. If it takes both, they can swap places for the same reason.
 *
 * Branches are left only at several concurrent writes that may be seen later, and at unknown writes. `undecided` when
 * the budget is spent first: with values that are written more than once the problem is NP-complete (Gibbons and
 * Korach, "Testing Shared Memories", 1997).
 */
export function searchOrder(operations: readonly Operation[], budget: StepBudget): SearchResult {
  const history = registerHistory(operations);
  const initial = initialConfiguration(history);
  for (const value of history.reads.keys()) {
    if (value !== INITIAL && losesReads(history, { ...initial, value })) return 'violation';
  }
  const entered = new Set<string>();
  const open = [initial];
  for (let config = open.pop(); config !== undefined; config = open.pop()) {
    if (budget.left <= 0) return 'undecided';
    budget.left -= 1 + settle(history, config);
    if (config.first === history.accesses.length) return 'linearizable';
    if (losesReads(history, config)) continue;
    const key = keyOf(history, config);
    if (entered.has(key)) continue;
    entered.add(key);
    open.push(...branches(history, config));
  }
  return 'violation';
}

/** How far one order has come. */
interface Configuration {
  /** By access: 1 once taken. */
  readonly taken: Uint8Array;
  /** The first access that is not taken. */
  first: number;
  value: ValueId;
  /** By value: how many of its unknown writes are taken. */
  readonly unknownTaken: Uint32Array;
}

function initialConfiguration({ accesses, unknownWrites }: RegisterHistory): Configuration {
  const taken = new Uint8Array(accesses.length);
  return { taken, first: 0, value: INITIAL, unknownTaken: new Uint32Array(unknownWrites.length) };
}

function copyOf(config: Configuration): Configuration {
  return { ...config, taken: config.taken.slice(), unknownTaken: config.unknownTaken.slice() };
}

interface Candidates {
  /** By call. */
  readonly indexes: readonly number[];
  /** When the first of the remaining accesses returns: whatever is called later comes after it. */
  readonly firstReturn: number;
}

function candidatesOf({ accesses }: RegisterHistory, { taken, first }: Configuration): Candidates {
  const indexes: number[] = [];
  let firstReturn = Number.POSITIVE_INFINITY;
  for (let index = first; index < accesses.length; index += 1) {
    const access = accesses[index];
    if (access === undefined || access.call > firstReturn) break;
    if (taken[index] === 1) continue;
    indexes.push(index);
    firstReturn = Math.min(firstReturn, access.at);
  }
  return { indexes, firstReturn };
}

/** Takes all that rules 1 and 3 let it take without a choice. Returns how many that were. */
function settle(history: RegisterHistory, config: Configuration): number {
  for (let steps = 0; ; steps += 1) {
    const next = withoutChoice(history, config);
    if (next === undefined) return steps;
    take(history, config, next);
  }
}

function withoutChoice(history: RegisterHistory, config: Configuration): number | undefined {
  const { accesses, partners } = history;
  const { indexes } = candidatesOf(history, config);
  const read = indexes.find(
    (index) => accesses[index]?.type === 'read' && accesses[index].value === config.value,
  );
  if (read !== undefined || losesReads(history, config)) return read;
  return indexes.find((index) => accesses[index]?.type === 'write' && !anyRemains(config, partners[index]));
}

/** Rule 2, for when a write has to come next. */
function losesReads(
  { accesses, partners, reads, unknownWrites }: RegisterHistory,
  config: Configuration,
): boolean {
  const { taken, value, unknownTaken } = config;
  const unknownCall = unknownWrites[value]?.[unknownTaken[value] ?? 0] ?? Number.POSITIVE_INFINITY;
  return (reads[value] ?? []).some((read) => {
    const returned = accesses[read]?.at ?? 0;
    return taken[read] === 0 && unknownCall > returned && !anyRemains(config, partners[read]);
  });
}

function anyRemains({ taken }: Configuration, indexes: readonly number[] | undefined): boolean {
  return indexes?.some((index) => taken[index] === 0) ?? false;
}

/** The configurations to try after this settled one; the one to be tried first comes last. */
function branches(history: RegisterHistory, config: Configuration): Configuration[] {
  const { indexes, firstReturn } = candidatesOf(history, config);
  const found: Configuration[] = [];
  for (const index of indexes.toReversed()) {
    const access = history.accesses[index];
    if (access === undefined) continue;
    const { type, value } = access;
    const unknownCall = history.unknownWrites[value]?.[config.unknownTaken[value] ?? 0];
    const possible = type === 'write' || (unknownCall !== undefined && unknownCall <= firstReturn);
    if (!possible) continue;
    const next = copyOf(config);
    if (type === 'read') next.unknownTaken[value] = (next.unknownTaken[value] ?? 0) + 1;
    take(history, next, index);
    found.push(next);
  }
  return found;
}

function take(history: RegisterHistory, config: Configuration, index: number): void {
  config.value = history.accesses[index]?.value ?? config.value;
  config.taken[index] = 1;
  while (config.taken[config.first] === 1) config.first += 1;
}

/**
 * Equal for settled configurations that have the same completions. The accesses taken beyond the first remaining one
 * were candidates along with it, so they lie close behind it. Two things are left out because they make no difference:
 * the current value (rule 1), and how many unknown writes are left of a value that nobody reads any more.
 */
function keyOf({ reads, unknownWrites }: RegisterHistory, config: Configuration): string {
  const { taken, first, unknownTaken } = config;
  const ahead = taken.subarray(first, taken.lastIndexOf(1) + 1).join('');
  const unknown: string[] = [];
  unknownWrites.forEach((_calls, value) => {
    const count = unknownTaken[value] ?? 0;
    if (count > 0 && anyRemains(config, reads[value])) unknown.push(`${value}x${count}`);
  });
  return `${first} ${ahead} ${unknown.join()}`;
}
