import type Database from 'better-sqlite3';
import type { Change, ChangedLeaves } from './change.ts';
import type { TreeCommand } from './combine-commands.ts';
import type { Command, ContentCommand, TreeName, WriteCommand, WriteResult } from './command.ts';
import { HISTORY_LIMITS, type HistoryLimits, HistoryTable } from './history-table.ts';
import { segmentsOf } from './path.ts';
import type { Effect, Position } from './position.ts';
import { Preconditions } from './preconditions.ts';
import { PriorValues } from './prior-values.ts';
import { REQUEST_LIMITS, type RequestLimits, RequestTable } from './request-table.ts';
import { type RuleCommand, RuleTable } from './rule-table.ts';
import { type Recording, Tree } from './tree.ts';
import { type Version, version } from './version.ts';

/** How much of the past a state keeps: other limits make other rows, so every node must have the same. */
export interface StateLimits {
  readonly history: HistoryLimits;
  readonly requests: RequestLimits;
}

export const STATE_LIMITS: StateLimits = { history: HISTORY_LIMITS, requests: REQUEST_LIMITS };

/** What commands do to the rows. Must run inside a transaction. Looks at nothing but the rows and the position. */
export class CommandApplier {
  readonly #trees: { readonly [tree in TreeName]: Tree };
  readonly #rules: RuleTable;
  readonly #history: HistoryTable;
  readonly #requests: RequestTable;
  readonly #preconditions: Preconditions;
  readonly #limits: StateLimits;

  constructor(db: Database.Database, limits: StateLimits) {
    this.#limits = limits;
    this.#trees = { data: new Tree(db, 'data'), mapping: new Tree(db, 'mapping') };
    this.#rules = new RuleTable(db);
    this.#history = new HistoryTable(db, limits.history);
    this.#requests = new RequestTable(db, limits.requests);
    this.#preconditions = new Preconditions(db);
  }

  /** What history and requests take, about. */
  get pastBytes(): number {
    return this.#history.bytes + this.#requests.bytes;
  }

  /** Whether a write with that key, proposed at `now`, would be none any more: it would change nothing. */
  hasRequest(idempotencyKey: string, now: number, before: Position): boolean {
    return this.#requests.has(idempotencyKey, Math.max(now, before.time));
  }

  apply(command: Command, before: Position): Effect {
    switch (command.type) {
      case 'write':
        return this.#write(command, before);
      case 'setFeatureLevel': {
        const featureLevel = Math.max(command.level, before.featureLevel);
        return { ...withoutChange({ type: 'applied', version: before.version }), moves: { featureLevel } };
      }
      default:
        return this.#applyBare(command, before);
    }
  }

  #write(write: WriteCommand, before: Position): Effect {
    const time = Math.max(write.time, before.time);
    const refusal = this.#refuse(write, time, before);
    if (refusal !== null) return { ...withoutChange(refusal), moves: { time } };
    const effect = this.#carryOut(write, time, before);
    if (write.idempotencyKey !== '') this.#requests.add(write, { version: effect.result.version, time });
    return effect;
  }

  /** Why nothing of it is to be done; null: all of it is. */
  #refuse(write: WriteCommand, time: number, before: Position): WriteResult | null {
    const known = write.idempotencyKey === '' ? null : this.#requests.find(write, time);
    if (known !== null) {
      return known.isSame
        ? { type: 'repeated', version: known.version }
        : { type: 'keyReused', version: before.version };
    }
    if (write.preconditions.length === 0) return null;
    const failing = this.#preconditions.firstFailing(write.preconditions, before);
    if (failing === null) return null;
    return { type: 'preconditionFailed', version: before.version, precondition: failing };
  }

  #carryOut({ operations, author }: WriteCommand, time: number, before: Position): Effect {
    const next = version(before.version + 1);
    const prior = new PriorValues(this.#limits.history.maxVersionBytes);
    const changes = this.#execute(operations, next, { version: next, prior });
    if (changes.length === 0)
      return { ...withoutChange({ type: 'applied', version: before.version }), moves: { time } };
    const trimmed = this.#history.add({ version: next, time, author, changes: prior.encode() });
    return {
      result: { type: 'applied', version: next },
      changes,
      moves: { version: next, time, historyStart: trimmed ?? before.historyStart },
    };
  }

  /** A node may have applied it with a release that recorded nothing: so nothing is. */
  #applyBare(command: ContentCommand, before: Position): Effect {
    const next = version(before.version + 1);
    const changes = this.#execute([command], next, { version: version(0), prior: null });
    if (changes.length === 0) return withoutChange({ type: 'applied', version: before.version });
    return {
      result: { type: 'applied', version: next },
      changes,
      moves: { version: next, versionFloor: next, historyStart: next },
    };
  }

  /**
   * All operations that change the same rows at once: what they undo of each other is no change. Returns one change for
   * each kind of rows that was touched: hidden values are a change that names nobody.
   */
  #execute(operations: readonly ContentCommand[], next: Version, recording: Recording): Change[] {
    const { data, mapping, rules } = byKind(operations);
    const changes: Change[] = [];
    const leaves = data.length === 0 ? null : this.#trees.data.apply(data, recording);
    if (leaves !== null) changes.push({ type: 'data', version: next, ...leaves });
    const mapped = mapping.length === 0 ? null : this.#trees.mapping.apply(mapping, recording);
    if (mapped !== null) changes.push({ type: 'mapping', version: next, hosts: hostsOf(mapped) });
    const hosts = rules.length === 0 ? null : this.#rules.apply(rules, recording.prior);
    if (hosts !== null) changes.push({ type: 'rules', version: next, hosts });
    return changes;
  }
}

/** The first names of the paths, each once. */
function hostsOf({ paths }: ChangedLeaves): string[] {
  return [...new Set(paths.map((path) => segmentsOf(path)[0] ?? ''))];
}

/** Operations of different kinds never meet in a row: their order among each other does not matter. */
function byKind(operations: readonly ContentCommand[]) {
  const found = { data: [] as TreeCommand[], mapping: [] as TreeCommand[], rules: [] as RuleCommand[] };
  for (const operation of operations) {
    if (operation.type === 'setRules' || operation.type === 'deleteRules') found.rules.push(operation);
    else found[operation.tree].push(operation);
  }
  return found;
}

function withoutChange(result: WriteResult): Effect {
  return { result, changes: [], moves: {} };
}
