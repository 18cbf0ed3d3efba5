import { type Checked, CLIENT_GONE, ok, type Problem, refuse } from '../http/problem.ts';
import type { Asker } from './long-answer.ts';

interface Place {
  readonly goAhead: () => void;
}

/** Those who wait for their turn, first come, first served; it is bounded, and who has gone is in it no longer. */
export class WaitingLine {
  readonly #maxLength: number;
  readonly #full: Problem;
  readonly #places = new Set<Place>();

  /** `full`: what is answered to one more. */
  constructor(maxLength: number, full: Problem) {
    this.#maxLength = maxLength;
    this.#full = full;
  }

  /** Resolves when the asker may go ahead; whoever does calls `next` afterwards, unless nobody else can. */
  join(asker: Asker): Promise<Checked<null>> {
    if (this.#places.size >= this.#maxLength) return Promise.resolve(refuse(this.#full));
    return new Promise((resolve) => {
      const place: Place = {
        goAhead: () => {
          leave();
          resolve(ok(null));
        },
      };
      this.#places.add(place);
      const leave = asker.onGone(() => {
        this.#places.delete(place);
        resolve(refuse(CLIENT_GONE));
      });
    });
  }

  /** Lets the first one go ahead, if there is one. */
  next(): void {
    const [first] = this.#places;
    if (first === undefined) return;
    this.#places.delete(first);
    first.goAhead();
  }
}
