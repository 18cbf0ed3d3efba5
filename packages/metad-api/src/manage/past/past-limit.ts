import { type Checked, type Problem, refuse, unavailable } from '../../http/problem.ts';

/** Each may hold as much in memory as the history holds on disk. */
const MAX_AT_ONCE = 8;

const BUSY: Problem = unavailable('too many requests look into the past just now');

/** Bounds how many requests go through the history at once. */
export class PastLimit {
  #count = 0;

  async run<T>(look: () => Promise<Checked<T>>): Promise<Checked<T>> {
    if (this.#count >= MAX_AT_ONCE) return refuse(BUSY);
    this.#count += 1;
    try {
      return await look();
    } finally {
      this.#count -= 1;
    }
  }
}
