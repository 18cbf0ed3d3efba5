import type { TreeName } from './command.ts';

/** What a name of a change stands in. */
export type ChangeKind = TreeName | 'rules';

/** One own value, or one host's rules, before it was changed; null: there was none. */
export type PriorValue = readonly [kind: ChangeKind, name: string, before: string | null];

/** What it is that a write changed. */
export type ChangedName = readonly [kind: ChangeKind, name: string];

/** What a value takes besides its name and itself. */
const overhead = 16;

/**
 * The values that one write replaces, as they were before it. Too many of them are not held: a write may remove more than
 * memory holds, and must still go through. Then only the names are, and when those are too many as well, nothing.
 */
export class PriorValues {
  readonly #maxBytes: number;
  /** What was noted: with its values until those got too much; null once the names did, too. */
  #noted: (PriorValue | ChangedName)[] | null = [];
  #takesValues = true;
  #valuesLength = 0;
  #namesLength = 0;

  /** `maxBytes` is what `encode` may return. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether it is worth reading another value; if not, any will do for `note`. */
  get takesValues(): boolean {
    return this.#takesValues;
  }

  /** Whether it is worth noting anything. */
  get isOpen(): boolean {
    return this.#noted !== null;
  }

  /** Each name once. */
  note(kind: ChangeKind, name: string, before: string | null): void {
    if (this.#noted === null) return;
    this.#namesLength += name.length + overhead;
    this.#valuesLength += name.length + (before?.length ?? 0) + overhead;
    this.#noted.push(this.#takesValues ? [kind, name, before] : [kind, name]);
    if (this.#takesValues && this.#valuesLength > this.#maxBytes) this.#dropValues();
    if (this.#namesLength > this.#maxBytes) this.#noted = null;
  }

  /** As `decodeValues` and `decodeNames` read it; null: even the names were too much. */
  encode(): string | null {
    const text = this.#encodeNoted();
    if (text !== null || !this.#takesValues) return text;
    this.#dropValues();
    return this.#encodeNoted();
  }

  #encodeNoted(): string | null {
    const text = this.#noted === null ? null : JSON.stringify(this.#noted);
    return text === null || Buffer.byteLength(text) > this.#maxBytes ? null : text;
  }

  #dropValues(): void {
    this.#takesValues = false;
    this.#noted = this.#noted?.map(([kind, name]): ChangedName => [kind, name]) ?? null;
  }
}

/** Reads the column `changes`; null: it has only names. */
export function decodeValues(text: string): readonly PriorValue[] | null {
  const list: readonly PriorValue[] | readonly ChangedName[] = JSON.parse(text);
  return hasValues(list) ? list : null;
}

/** Reads the names in the column `changes`. */
export function decodeNames(text: string): readonly (ChangedName | PriorValue)[] {
  return JSON.parse(text);
}

/** All have one, or none has. */
function hasValues(list: readonly PriorValue[] | readonly ChangedName[]): list is readonly PriorValue[] {
  return list[0]?.length !== 2;
}
