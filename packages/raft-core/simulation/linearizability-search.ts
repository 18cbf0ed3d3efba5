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
 * no other remaining one precedes, and go back where that leads nowhere; with Lowe's addition ("Testing for
 * linearizability", 2017): a configuration, that is the set of operations taken and the state, is entered only once.
 *
 * What makes it fast is that a register allows to settle most choices. Each rule says: if there is a completion
 * (an order of the remaining operations that explains what they saw), there is one that begins as the rule does.
 * Moving a candidate, which no remaining operation precedes, to the front never breaks the order of time.
 *
 * 1. *A candidate read of the current value goes first.* It changes nothing for the others.
 *    From here on, let no candidate be a read of the current value: a completion begins with a write.
 * 2. *A read that has lost its value ends the branch.* If remaining reads need the current value, and no remaining
 *    write could bring it back, then the write that a completion begins with would take it from them: there is none.
 * 3. *A candidate write whose value no remaining read needs goes first.* At its old place in the completion it is
 *    followed by a write or by the end, since nobody reads its value: taking it out there changes nothing. At the
 *    front it is followed by what the completion began with: a write, or itself.
 * 4. *An unknown write is taken only together with a read of its value, right before it.* In a completion, one that is
 *    followed by a write or by the end can be left out as one that never takes effect; one that is followed by a read
 *    is followed by a read of its value. Therefore those whose value nobody reads are never taken at all, and any
 *    number of unknown writes costs nothing but where reads ask for them.
 * 5. *Of unknown writes of one value, the earliest called is taken first.* If a completion takes the later one and not
 *    the earlier, they can trade places: nothing that precedes the earlier may follow it there, for it precedes the
 *    later as well, and an operation that never returned precedes none. If it takes both, their names can be swapped.
 *
 * Branches are left only at several concurrent writes whose values are read later, and at an unknown write against
 * another. `undecided` when the budget is spent first: with values that are written often the problem is NP-complete
 * (Gibbons and Korach, "Testing Shared Memories", 1997).
 */
export function searchOrder(operations: readonly Operation[], budget: StepBudget): SearchResult {
  const history = registerHistory(operations);
  const entered = new Set<string>();
  const open = [initialConfiguration(history)];
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
  /** By index in the history's accesses: 1 once taken. */
  readonly taken: Uint8Array;
  /** The first access that is not taken. */
  first: number;
  value: ValueId;
  /** By value: the reads of it, and the writes that have returned, that are not taken. */
  readonly reads: Uint32Array;
  readonly writes: Uint32Array;
  /** By value: how many of its unknown writes are taken. */
  readonly unknownTaken: Uint32Array;
}

function initialConfiguration({ accesses, values }: RegisterHistory): Configuration {
  const reads = new Uint32Array(values);
  const writes = new Uint32Array(values);
  for (const { type, value } of accesses) increment(type === 'read' ? reads : writes, value, 1);
  const taken = new Uint8Array(accesses.length);
  return { taken, first: 0, value: INITIAL, reads, writes, unknownTaken: new Uint32Array(values) };
}

function copyOf(config: Configuration): Configuration {
  return {
    ...config,
    taken: config.taken.slice(),
    reads: config.reads.slice(),
    writes: config.writes.slice(),
    unknownTaken: config.unknownTaken.slice(),
  };
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
  const { indexes } = candidatesOf(history, config);
  const read = indexes.find((index) => {
    const access = history.accesses[index];
    return access?.type === 'read' && access.value === config.value;
  });
  if (read !== undefined || losesReads(history, config)) return read;
  return indexes.find((index) => {
    const access = history.accesses[index];
    return access?.type === 'write' && config.reads[access.value] === 0;
  });
}

/** Rule 2, for when a write has to come next. */
function losesReads(
  history: RegisterHistory,
  { value, reads, writes, unknownTaken }: Configuration,
): boolean {
  if (reads[value] === 0 || writes[value] !== 0) return false;
  return (history.unknownWrites.get(value)?.length ?? 0) === unknownTaken[value];
}

/** The configurations to try after this settled one; the one to be tried first comes last. */
function branches(history: RegisterHistory, config: Configuration): Configuration[] {
  const { indexes, firstReturn } = candidatesOf(history, config);
  const found: Configuration[] = [];
  for (const index of indexes.toReversed()) {
    const access = history.accesses[index];
    if (access === undefined) continue;
    const { type, value } = access;
    const unknownCall = history.unknownWrites.get(value)?.[config.unknownTaken[value] ?? 0];
    const possible = type === 'write' || (unknownCall !== undefined && unknownCall <= firstReturn);
    if (!possible) continue;
    const next = copyOf(config);
    if (type === 'read') increment(next.unknownTaken, value, 1);
    take(history, next, index);
    found.push(next);
  }
  return found;
}

function take(history: RegisterHistory, config: Configuration, index: number): void {
  const access = history.accesses[index];
  if (access === undefined) return;
  increment(access.type === 'read' ? config.reads : config.writes, access.value, -1);
  config.value = access.value;
  config.taken[index] = 1;
  while (config.taken[config.first] === 1) config.first += 1;
}

/**
 * Equal for configurations that have the same completions. The accesses taken beyond the first remaining one were
 * candidates along with it, so they lie close behind it. What nobody reads any more makes no difference: neither the
 * current value, nor how many unknown writes of a value are left.
 */
function keyOf(history: RegisterHistory, config: Configuration): string {
  const { taken, first, value, reads, unknownTaken } = config;
  const ahead = taken.subarray(first, taken.lastIndexOf(1) + 1).join('');
  const current = reads[value] === 0 ? '' : value;
  const unknown: string[] = [];
  for (const id of history.unknownWrites.keys()) {
    if (reads[id] !== 0 && unknownTaken[id] !== 0) unknown.push(`${id}x${unknownTaken[id]}`);
  }
  return `${first} ${ahead} ${current} ${unknown.join()}`;
}

function increment(counts: Uint32Array, index: number, by: number): void {
  counts[index] = (counts[index] ?? 0) + by;
}
