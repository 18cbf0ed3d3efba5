import type { Change, Version } from '@metad/kv-store';
import { LatestChanges } from './latest-changes.ts';

export interface WindowLimits {
  readonly maxWindowChanges: number;
  readonly maxWindowBytes: number;
}

/** A change of which it is known what it concerns. */
export type NamedChange = Exclude<Change, { type: 'reset' }>;

/** What a change is taken to occupy besides its names. */
const CHANGE_OVERHEAD_BYTES = 64;
/** A name is in the list of its change and, with some of its parents, among the latest ones. */
const NAME_OVERHEAD_BYTES = 128;

/** The most recent changes, oldest first: enough to tell a client that comes with a version whether it missed any. */
export class ChangeWindow {
  /** Of the changes that are here. */
  readonly latest = new LatestChanges();
  readonly #limits: WindowLimits;
  #changes: NamedChange[] = [];
  /** Where the oldest change that is kept stands; what is before it is dropped from time to time. */
  #head = 0;
  #bytes = 0;
  #coversSince: Version;

  /** Knows all that changes after `version`. */
  constructor(version: Version, limits: WindowLimits) {
    this.#coversSince = version;
    this.#limits = limits;
  }

  /** Whether every change after `since` is here. */
  covers(since: Version): boolean {
    return since >= this.#coversSince;
  }

  push(change: Change): void {
    if (change.type === 'reset') {
      this.#clear(change.version);
      return;
    }
    this.#changes.push(change);
    this.latest.add(change);
    this.#bytes += sizeOf(change);
    const { maxWindowChanges, maxWindowBytes } = this.#limits;
    while (this.#length > 0 && (this.#length > maxWindowChanges || this.#bytes > maxWindowBytes)) {
      this.#dropOldest();
    }
  }

  /** Whether `matches` holds for a change after `since`. Only meaningful where the window covers it. */
  some(since: Version, matches: (change: NamedChange) => boolean): boolean {
    for (let i = this.#firstAfter(since); i < this.#changes.length; i += 1) {
      const change = this.#changes[i];
      if (change !== undefined && matches(change)) return true;
    }
    return false;
  }

  get #length(): number {
    return this.#changes.length - this.#head;
  }

  #dropOldest(): void {
    const oldest = this.#changes[this.#head];
    if (oldest === undefined) return;
    this.#coversSince = oldest.version;
    this.latest.delete(oldest);
    this.#bytes -= sizeOf(oldest);
    this.#head += 1;
    if (this.#head > this.#length) {
      this.#changes = this.#changes.slice(this.#head);
      this.#head = 0;
    }
  }

  #clear(version: Version): void {
    this.#changes = [];
    this.latest.clear();
    this.#head = 0;
    this.#bytes = 0;
    this.#coversSince = version;
  }

  /** Versions never decrease along the window. */
  #firstAfter(since: Version): number {
    let low = this.#head;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const change = this.#changes[middle];
      if (change !== undefined && change.version > since) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function sizeOf(change: NamedChange): number {
  const names = change.type === 'data' ? change.paths : change.hosts;
  let bytes = CHANGE_OVERHEAD_BYTES;
  for (const name of names) bytes += name.length * 2 + NAME_OVERHEAD_BYTES;
  return bytes;
}
