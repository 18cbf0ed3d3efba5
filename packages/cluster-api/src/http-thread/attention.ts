import type { Server } from 'node:http';

/** How long nobody must have asked for anything before changes are held back. */
export const QUIET_MS = 1_000;

export interface AttentionOptions {
  /** Requests and streams that wait for changes now. */
  readonly waiting: () => number;
  readonly onChange: (isPaid: boolean) => void;
}

/**
 * Whether anybody on the HTTP ports may want to know of changes as they come: from the first request on, until nothing
 * was asked for a while and nobody waits.
 */
export class Attention {
  readonly #options: AttentionOptions;
  readonly #ticker: NodeJS.Timeout;
  #isPaid = false;
  #hasAsked = false;

  constructor(options: AttentionOptions) {
    this.#options = options;
    this.#ticker = setInterval(() => this.#tick(), QUIET_MS);
  }

  follow(server: Server): void {
    server.on('request', () => this.noteRequest());
  }

  noteRequest(): void {
    this.#hasAsked = true;
    if (!this.#isPaid) this.#set(true);
  }

  stop(): void {
    clearInterval(this.#ticker);
  }

  #tick(): void {
    if (this.#isPaid && !this.#hasAsked && this.#options.waiting() === 0) this.#set(false);
    this.#hasAsked = false;
  }

  #set(isPaid: boolean): void {
    this.#isPaid = isPaid;
    this.#options.onChange(isPaid);
  }
}
