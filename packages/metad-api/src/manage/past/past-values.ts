import type { HistoryChange, HistoryEntry, Version } from '@metad/kv-store';

type Kind = HistoryChange['kind'];

/** What a place held before it changed. */
export interface Prior {
  /** The first change after the version in question. */
  readonly changedAt: Version;
  readonly kind: Kind;
  readonly path: string;
  /** The own value right before it; null: none. */
  readonly value: string | null;
}

/**
 * Own values as they were at one version, of what has changed since: the value before the first change after it. Takes
 * the changes in any order.
 */
export class PastValues {
  readonly #version: Version;
  readonly #priors = new Map<string, Prior>();

  constructor(version: Version) {
    this.#version = version;
  }

  add(changedAt: HistoryEntry['version'], { kind, path, before }: HistoryChange): void {
    if (changedAt <= this.#version) return;
    const key = keyOf(kind, path);
    const known = this.#priors.get(key);
    if (known !== undefined && known.changedAt <= changedAt) return;
    this.#priors.set(key, { changedAt, kind, path, value: before });
  }

  /** Undefined when it has not changed since: then it is what it is now. */
  get(kind: Kind, path: string): Prior | undefined {
    return this.#priors.get(keyOf(kind, path));
  }

  all(): IterableIterator<Prior> {
    return this.#priors.values();
  }
}

function keyOf(kind: Kind, path: string): string {
  return `${kind} ${path}`;
}
