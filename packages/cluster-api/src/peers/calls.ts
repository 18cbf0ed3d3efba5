import type { CallOutcome } from '../consensus/call.ts';

/** The calls that one connection has carried to the peer and that are not answered yet. */
export class PeerCalls {
  readonly #pending = new Map<number, PendingCall>();
  #nextId = 1;

  get size(): number {
    return this.#pending.size;
  }

  /** Expects an answer. The outcome is `unknown` when none comes in time, or the connection goes first. */
  expect(timeoutMs: number): { readonly id: number; readonly outcome: Promise<CallOutcome> } {
    const id = this.#nextId;
    this.#nextId += 1;
    const outcome = new Promise<CallOutcome>((resolve) => {
      const timer = setTimeout(
        () => this.settle(id, { type: 'unknown', message: `no answer within ${timeoutMs} ms` }),
        timeoutMs,
      );
      this.#pending.set(id, { resolve, timer });
    });
    return { id, outcome };
  }

  /** An answer that nobody waits for any more is ignored: its call has timed out. */
  settle(id: number, outcome: CallOutcome): void {
    const call = this.#pending.get(id);
    if (!call) return;
    this.#pending.delete(id);
    clearTimeout(call.timer);
    call.resolve(outcome);
  }

  abandon(message: string): void {
    for (const id of [...this.#pending.keys()]) this.settle(id, { type: 'unknown', message });
  }
}

interface PendingCall {
  readonly resolve: (outcome: CallOutcome) => void;
  readonly timer: NodeJS.Timeout;
}
