import type { Precondition, TreeName, WriteCommand, WriteResult } from '../src/command.ts';
import { isAtOrBelow, ROOT } from '../src/path.ts';
import { version } from '../src/version.ts';
import { NaiveState } from './naive-state.ts';

const MAX_AGE_MS = 24 * 60 * 60 * 1000;

/** What one version changed: each name once, with what it was before. */
export interface NaiveVersion {
  readonly version: number;
  readonly time: number;
  readonly author: string;
  readonly changes: Map<string, string | null>;
}

interface NaiveRequest {
  readonly content: string;
  readonly version: number;
  readonly time: number;
}

/** Writes as one would first carry them out: every state that ever was is kept, and all of them are looked at. */
export class NaiveWrites {
  readonly state = new NaiveState();
  /** All versions, the oldest first: nothing is trimmed. */
  readonly versions: NaiveVersion[] = [];
  /** What was there at each version, by kind and name. */
  readonly values: Map<string, string>[] = [new Map()];
  /** After this version changes are known. */
  historyStart = 0;
  readonly #maxVersions: number;
  readonly #requests = new Map<string, NaiveRequest>();
  #kept = 0;
  #time = 0;

  constructor(maxVersions: number) {
    this.#maxVersions = maxVersions;
  }

  write(write: WriteCommand): WriteResult {
    this.#time = Math.max(this.#time, write.time);
    const now = version(this.state.version);
    const content = JSON.stringify([write.preconditions, write.operations]);
    const known = this.#requests.get(write.idempotencyKey);
    if (known !== undefined && known.time >= this.#time - MAX_AGE_MS) {
      if (known.content !== content) return { type: 'keyReused', version: now };
      return { type: 'repeated', version: version(known.version) };
    }
    const precondition = write.preconditions.findIndex((condition) => !this.#holds(condition));
    if (precondition >= 0) return { type: 'preconditionFailed', version: now, precondition };
    this.#execute(write);
    const result = version(this.state.version);
    if (write.idempotencyKey !== '') {
      this.#requests.set(write.idempotencyKey, { content, version: result, time: this.#time });
    }
    return { type: 'applied', version: result };
  }

  /** Whether a version after `since` changed something at or below the path. */
  #touched(tree: TreeName, path: string, since: number): boolean {
    return this.versions.some(({ version, changes }) => {
      const names = [...changes.keys()].filter((name) => name.startsWith(`${tree}:`));
      return version > since && names.some((name) => isAtOrBelow(name.slice(tree.length + 1), path));
    });
  }

  #holds(condition: Precondition): boolean {
    const { tree, path } = condition;
    const values = this.state.trees[tree];
    const hasValue = [...values.keys()].some((at) => isAtOrBelow(at, path));
    const isThere = hasValue || path === ROOT;
    switch (condition.type) {
      case 'absent':
        return !hasValue;
      case 'present':
        return isThere;
      case 'equals':
        return values.get(path) === condition.value;
      case 'unchangedSince': {
        const since = condition.version;
        const isLeaf = this.state.leaves(tree, path).some(([at]) => at === path);
        const isKnown = isLeaf || since >= this.historyStart;
        return since <= this.state.version && isThere && isKnown && !this.#touched(tree, path, since);
      }
    }
  }

  #execute({ operations, author }: WriteCommand): void {
    const next = this.state.version + 1;
    const changes = new Map<string, string | null>();
    const before = this.#valuesNow();
    for (const operation of operations) this.state.apply(operation);
    const after = this.#valuesNow();
    for (const name of [...before.keys(), ...after.keys()]) {
      if (before.get(name) !== after.get(name)) changes.set(name, before.get(name) ?? null);
    }
    // The state counts what each operation changes, and not what they undo of each other.
    this.state.version = changes.size === 0 ? next - 1 : next;
    if (changes.size === 0) return;
    this.versions.push({ version: next, time: this.#time, author, changes });
    this.values[next] = after;
    this.#kept += 1;
    if (this.#kept > this.#maxVersions) this.#trim();
  }

  #trim(): void {
    const kept = Math.floor(this.#maxVersions * (1 - 1 / 64));
    this.historyStart = this.versions[this.versions.length - kept - 1]?.version ?? 0;
    this.#kept = kept;
  }

  #valuesNow(): Map<string, string> {
    const { trees, rules } = this.state;
    const named = (kind: string, values: Iterable<[string, string]>) =>
      [...values].map(([name, value]): [string, string] => [`${kind}:${name}`, value]);
    const texts = [...rules].map(([host, list]): [string, string] => [
      host,
      JSON.stringify(list.map(({ path, mode }) => [path, mode])),
    ]);
    return new Map([
      ...named('data', trees.data),
      ...named('mapping', trees.mapping),
      ...named('rules', texts),
    ]);
  }
}
