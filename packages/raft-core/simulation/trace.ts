import type { EventQueue } from './event-queue.ts';

/** The story of a run, one line for each thing that happened; nothing is formatted when nobody reads it. */
export class Trace {
  readonly #queue: EventQueue;
  readonly #lines: string[] | null;

  constructor(queue: EventQueue, options: { readonly enabled: boolean }) {
    this.#queue = queue;
    this.#lines = options.enabled ? [] : null;
  }

  get lines(): readonly string[] {
    return this.#lines ?? [];
  }

  note(who: string, what: () => string): void {
    this.#lines?.push(`${String(this.#queue.now).padStart(6)}  ${who.padEnd(8)} ${what()}`);
  }
}
