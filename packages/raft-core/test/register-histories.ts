import type { Operation, Read, WriteOutcome } from '../simulation/operation.ts';
import type { Random } from '../simulation/random.ts';

/** When an operation returned; or that it failed, or was never answered. */
export type Return = number | 'failed' | 'unknown';

const outcomeOf = (at: Return): WriteOutcome => (typeof at === 'number' ? { type: 'ok', at } : { type: at });

export function put(value: string, call: number, at: Return, { client = 1, key = 'x' } = {}): Operation {
  return { client, key, call, type: 'put', value, outcome: outcomeOf(at) };
}

export function remove(call: number, at: Return, { client = 1, key = 'x' } = {}): Operation {
  return { client, key, call, type: 'delete', outcome: outcomeOf(at) };
}

export function read(
  value: string | null,
  call: number,
  at: Return,
  { client = 2, key = 'x' } = {},
): Operation {
  const outcome: Read['outcome'] = typeof at === 'number' ? { type: 'ok', at, value } : { type: at };
  return { client, key, call, type: 'read', outcome };
}

export interface Workload {
  readonly clients: number;
  readonly operations: number;
  /** At most so many writes get no answer. */
  readonly unknown: number;
  /** Clients choose among so many values; without it, each put has its own. */
  readonly values?: number;
}

/** One operation under way at a real register; `seen` once it has taken effect. */
interface Pending {
  readonly index: number;
  seen?: string | null;
}

/**
 * What clients of one real register see. Each event is a call, an effect or an answer of one client's operation, in
 * random order. An unanswered write takes effect at any time later, or never.
 */
export function registerRun(random: Random, { clients, operations, unknown, values }: Workload): Operation[] {
  const history: Operation[] = [];
  const pending = new Map<number, Pending>();
  const adrift: Operation[] = [];
  let unanswered = 0;
  let value: string | null = null;
  for (let now = 0; history.length < operations || pending.size > 0; now += 1) {
    if (random.chance(0.02)) value = effectOf(adrift.splice(random.below(adrift.length), 1)[0], value);
    const client = random.below(clients);
    const own = pending.get(client);
    const called = history[own?.index ?? -1];
    if (own === undefined || called === undefined) {
      if (history.length === operations) continue;
      pending.set(client, { index: history.length });
      const chosen = values === undefined ? history.length : random.below(values);
      history.push(randomCall(random, { client, now, value: `v${chosen}` }));
    } else if (own.seen !== undefined) {
      history[own.index] = answered(called, now, own.seen);
      pending.delete(client);
    } else if (called.type !== 'read' && unanswered < unknown && random.chance(0.3)) {
      unanswered += 1;
      adrift.push(called);
      pending.delete(client);
    } else {
      value = effectOf(called, value);
      own.seen = value;
    }
  }
  return history;
}

interface Choice {
  readonly client: number;
  readonly now: number;
  readonly value: string;
}

function randomCall(random: Random, { client, now, value }: Choice): Operation {
  if (random.chance(0.5)) return read(null, now, 'unknown', { client });
  return random.chance(0.1) ? remove(now, 'unknown', { client }) : put(value, now, 'unknown', { client });
}

function effectOf(operation: Operation | undefined, value: string | null): string | null {
  if (operation?.type === 'put') return operation.value;
  return operation?.type === 'delete' ? null : value;
}

function answered(operation: Operation, at: number, value: string | null): Operation {
  if (operation.type === 'read') return { ...operation, outcome: { type: 'ok', at, value } };
  return { ...operation, outcome: { type: 'ok', at } };
}

export function randomHistory(random: Random, maxOperations: number): Operation[] {
  const size = 1 + random.below(maxOperations);
  return Array.from({ length: size }, (_, client) => {
    const call = random.below(12);
    const answered = call + random.below(6);
    const at = random.pick<Return>([answered, answered, answered, 'unknown', 'failed']) ?? answered;
    const value = random.pick(['a', 'a', 'b', 'c']) ?? 'a';
    if (random.chance(0.5)) return read(random.chance(0.2) ? null : value, call, at, { client });
    return random.chance(0.2) ? remove(call, at, { client }) : put(value, call, at, { client });
  });
}

/** The same operation at another time. */
export function later(operation: Operation, by: number): Operation {
  const call = operation.call + by;
  if (operation.outcome.type !== 'ok') return { ...operation, call };
  const at = operation.outcome.at + by;
  if (operation.type === 'read') return { ...operation, call, outcome: { ...operation.outcome, at } };
  return { ...operation, call, outcome: { type: 'ok', at } };
}

/** The history with one read's answer replaced. */
export function sawInstead(operations: readonly Operation[], changed: Operation, value: string): Operation[] {
  return operations.map((operation) => {
    if (operation !== changed || operation.type !== 'read' || operation.outcome.type !== 'ok')
      return operation;
    return { ...operation, outcome: { ...operation.outcome, value } };
  });
}

/** The checker's twin: all orders, one by one, straight from the definition. */
export function someOrderExplains(operations: readonly Operation[]): boolean {
  const due = operations.filter(({ outcome }) => outcome.type === 'ok');
  const optional = operations.filter(({ type, outcome }) => type !== 'read' && outcome.type === 'unknown');
  return explains(null, [...due, ...optional]);
}

function explains(value: string | null, remaining: readonly Operation[]): boolean {
  if (remaining.every(({ outcome }) => outcome.type === 'unknown')) return true;
  return remaining.some((next) => {
    const others = remaining.filter((other) => other !== next);
    if (others.some(({ outcome }) => outcome.type === 'ok' && outcome.at < next.call)) return false;
    if (next.type !== 'read') return explains(next.type === 'put' ? next.value : null, others);
    return next.outcome.type === 'ok' && next.outcome.value === value && explains(value, others);
  });
}
