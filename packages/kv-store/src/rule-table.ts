import type Database from 'better-sqlite3';
import type { AccessMode, AccessRule, ContentCommand } from './command.ts';
import type { PriorValues } from './prior-values.ts';

export type RuleCommand = Extract<ContentCommand, { readonly type: 'setRules' | 'deleteRules' }>;

/** The writing side of the access rules. Must run inside a transaction. */
export class RuleTable {
  readonly #get: Database.Statement<[host: string], string>;
  readonly #set: Database.Statement<[host: string, rules: string]>;
  readonly #remove: Database.Statement<[host: string]>;

  constructor(db: Database.Database) {
    this.#get = db.prepare<[host: string], string>('SELECT rules FROM rules WHERE host = ?').pluck();
    this.#set = db.prepare('INSERT OR REPLACE INTO rules (host, rules) VALUES (?, ?)');
    this.#remove = db.prepare('DELETE FROM rules WHERE host = ?');
  }

  /** Applies commands, one after the other and as one change; returns the hosts whose rules changed, null when none did. */
  apply(commands: readonly RuleCommand[], prior: PriorValues | null): readonly string[] | null {
    const changed: string[] = [];
    for (const [host, rules] of lastOfEach(commands)) {
      const before = this.#get.get(host);
      const after = rules === null ? undefined : encodeRules(rules);
      if (before === after) continue;
      if (after === undefined) this.#remove.run(host);
      else this.#set.run(host, after);
      prior?.note('rules', host, before ?? null);
      changed.push(host);
    }
    return changed.length === 0 ? null : changed;
  }
}

/** Of a host that is named several times the last counts; null: its rules are deleted. */
function lastOfEach(commands: readonly RuleCommand[]): Map<string, readonly AccessRule[] | null> {
  const last = new Map<string, readonly AccessRule[] | null>();
  for (const command of commands) {
    if (command.type === 'setRules') for (const [host, rules] of command.rules) last.set(host, rules);
    else for (const host of command.hosts) last.set(host, null);
  }
  return last;
}

function encodeRules(rules: readonly AccessRule[]): string {
  return JSON.stringify(rules.map(({ path, mode }) => [path, mode]));
}

/** Reads the column `rules`, and what the history holds of it. */
export function decodeRules(text: string): AccessRule[] {
  const rows: [path: string, mode: AccessMode][] = JSON.parse(text);
  return rows.map(([path, mode]) => ({ path, mode }));
}
