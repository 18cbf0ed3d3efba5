import type { TreeName } from './command.ts';

/** What a name of a change stands in. */
export type ChangeKind = TreeName | 'rules';

/** One own value, or one host's rules, before it was changed; null: there was none. */
export type PriorValue = readonly [kind: ChangeKind, name: string, before: string | null];

/** What a value takes besides its name and itself. */
const overhead = 16;

/**
 * The values that one write replaces, as they were before it. Too many of them are not held: a write may
 * remove more than memory holds, and must still go through.
 */
export class PriorValues {
  readonly #maxLength: number;
  /** Null once it got too much. */
  #values: PriorValue[] | null = [];
  #length = 0;

  /** `maxLength` counts characters: about as many as `encode` would return. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** Whether it is worth reading another value. */
  get isOpen(): boolean {
    return this.#values !== null;
  }

  /** Each name once. */
  note(kind: ChangeKind, name: string, before: string | null): void {
    if (this.#values === null) return;
    this.#values.push([kind, name, before]);
    this.#length += name.length + (before?.length ?? 0) + overhead;
    if (this.#length > this.#maxLength) this.#values = null;
  }

  /** As `decodeChanges` reads it; null: it was too much. */
  encode(): string | null {
    return this.#values === null ? null : JSON.stringify(this.#values);
  }
}

/** Reads the column `changes`. */
export function decodeChanges(text: string): readonly PriorValue[] {
  return JSON.parse(text);
}
