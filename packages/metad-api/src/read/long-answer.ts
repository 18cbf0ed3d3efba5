import type { Version } from '@metad/kv-store';
import type { Answer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { type Checked, CLIENT_GONE, ok, refuse, unavailable } from '../http/problem.ts';
import type { Steps } from '../steps.ts';

/** Who waits for an answer, and may go before it is there. */
export type Asker = Pick<ApiRequest, 'onGone'>;

/** How a long answer is made. */
export interface LongWork {
  /** Of the state that it shows. */
  readonly version: Version;
  /** Names what is asked: whoever asks for the same at the same version may have the same answer. */
  readonly key: string;
  readonly steps: Steps<Answer>;
  /** Runs each of the steps. */
  run<T>(step: () => T): T;
  /** Called when no further step is run; may be called again. */
  close(): void;
  /** In the time of the clock: what is not made by then is given up. */
  readonly endsAt: number;
}

type Outcome =
  | { readonly type: 'made'; readonly answer: Answer }
  | { readonly type: 'late' }
  | { readonly type: 'failed'; readonly error: unknown };

interface Seat {
  resolve(answer: Checked<Answer>): void;
  reject(error: unknown): void;
  leave(): void;
}

/** So many are given the answer in one turn: each of them writes the first piece of it to a socket. */
const MAX_RELEASED_PER_TURN = 16;

const LATE = unavailable('this took too long: ask for less, or when this node has less to do');

/** An answer that is made over many turns, for all who ask for it meanwhile. It is given up when they have all gone. */
export class LongAnswer {
  readonly #work: LongWork;
  readonly #seats = new Set<Seat>();
  #outcome: Outcome | null = null;

  constructor(work: LongWork) {
    this.#work = work;
  }

  isOf(version: Version, key: string): boolean {
    return version === this.#work.version && key === this.#work.key;
  }

  join(asker: Asker): Promise<Checked<Answer>> {
    return new Promise((resolve, reject) => {
      const seat: Seat = { resolve, reject, leave: () => undefined };
      this.#seats.add(seat);
      seat.leave = asker.onGone(() => {
        this.#seats.delete(seat);
        resolve(refuse(CLIENT_GONE));
      });
    });
  }

  /** Takes one step; whether there are more to take. */
  proceed(now: number): boolean {
    if (this.#outcome !== null) this.#release(this.#outcome);
    else if (this.#seats.size > 0) this.#outcome = this.#step(now);
    if (this.#outcome !== null || this.#seats.size === 0) this.#work.close();
    return this.#seats.size > 0;
  }

  #step(now: number): Outcome | null {
    if (now > this.#work.endsAt) return { type: 'late' };
    try {
      const step = this.#work.run(() => this.#work.steps.next());
      return step.done ? { type: 'made', answer: step.value } : null;
    } catch (error) {
      return { type: 'failed', error };
    }
  }

  #release(outcome: Outcome): void {
    let count = 0;
    for (const seat of this.#seats) {
      if (count === MAX_RELEASED_PER_TURN) return;
      count += 1;
      this.#seats.delete(seat);
      seat.leave();
      if (outcome.type === 'failed') seat.reject(outcome.error);
      else seat.resolve(outcome.type === 'made' ? ok(outcome.answer) : refuse(LATE));
    }
  }
}
