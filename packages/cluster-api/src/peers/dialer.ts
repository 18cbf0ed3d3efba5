import type { PeerLimits } from './limits.ts';

/** How an attempt to open a link ended. */
export type DialResult = 'linked' | 'refused' | 'failed';

/**
 * Keeps trying to have one link to one peer: dials at once, and again after each failure and each loss, with waits
 * that double and are jittered, so that the nodes of a cluster do not dial in step.
 */
export class PeerDialer {
  readonly #open: (settle: (result: DialResult) => void) => () => void;
  readonly #limits: Pick<PeerLimits, 'redialMinMs' | 'redialMaxMs'>;
  readonly #random: () => number;
  #state: DialerState = { type: 'idle' };
  /** Failures since the last link that held. */
  #failures = 0;

  constructor(options: {
    /** Starts one attempt, answers later, and returns how to give it up. */
    readonly open: (settle: (result: DialResult) => void) => () => void;
    readonly limits: Pick<PeerLimits, 'redialMinMs' | 'redialMaxMs'>;
    /** In [0, 1). */
    readonly random: () => number;
  }) {
    this.#open = options.open;
    this.#limits = options.limits;
    this.#random = options.random;
  }

  start(): void {
    if (this.#state.type === 'idle') this.#dial();
  }

  /** The peer shows signs of life: no need to wait any longer. */
  wake(): void {
    if (this.#state.type !== 'waiting') return;
    clearTimeout(this.#state.timer);
    this.#dial();
  }

  /** The link is gone. One that did not hold counts as a failure: else two nodes could open and close it in a loop. */
  linkLost(held: boolean): void {
    if (this.#state.type !== 'linked') return;
    this.#failures = held ? 0 : this.#failures + 1;
    this.#wait();
  }

  stop(): void {
    if (this.#state.type === 'waiting') clearTimeout(this.#state.timer);
    if (this.#state.type === 'dialling') this.#state.cancel();
    this.#state = { type: 'stopped' };
  }

  #dial(): void {
    this.#state = { type: 'dialling', cancel: this.#open((result) => this.#settle(result)) };
  }

  #settle(result: DialResult): void {
    if (this.#state.type !== 'dialling') return;
    if (result === 'linked') {
      this.#state = { type: 'linked' };
      return;
    }
    this.#failures = result === 'refused' ? Number.POSITIVE_INFINITY : this.#failures + 1;
    this.#wait();
  }

  #wait(): void {
    const { redialMinMs, redialMaxMs } = this.#limits;
    const longest = Math.min(redialMaxMs, redialMinMs * 2 ** this.#failures);
    const delayMs = (longest / 2) * (1 + this.#random());
    this.#state = { type: 'waiting', timer: setTimeout(() => this.#dial(), delayMs) };
  }
}

type DialerState =
  | { readonly type: 'idle' }
  | { readonly type: 'dialling'; readonly cancel: () => void }
  | { readonly type: 'waiting'; readonly timer: NodeJS.Timeout }
  | { readonly type: 'linked' }
  | { readonly type: 'stopped' };
