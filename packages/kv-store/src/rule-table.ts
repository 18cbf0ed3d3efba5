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

  /** Applies one command; returns the hosts whose rules changed, null when none did. */
  apply(command: RuleCommand, prior: PriorValues | null): readonly string[] | null {
    const changed: string[] = [];
    if (command.type === 'deleteRules') {
      for (const host of command.hosts) {
        const before = this.#get.get(host);
        if (before === undefined) continue;
        this.#remove.run(host);
        prior?.note('rules', host, before);
        changed.push(host);
      }
    } else {
      // Of a host that is named twice the last list counts.
      for (const [host, rules] of new Map(command.rules)) {
        const text = encodeRules(rules);
        const before = this.#get.get(host);
        if (before === text) continue;
        this.#set.run(host, text);
        prior?.note('rules', host, before ?? null);
        changed.push(host);
      }
    }
    return changed.length === 0 ? null : changed;
  }
}

function encodeRules(rules: readonly AccessRule[]): string {
  return JSON.stringify(rules.map(({ path, mode }) => [path, mode]));
}

/** Reads the column `rules`, and what the history holds of it. */
export function decodeRules(text: string): AccessRule[] {
  const rows: [path: string, mode: AccessMode][] = JSON.parse(text);
  return rows.map(([path, mode]) => ({ path, mode }));
}
