import type { Version } from '@metad/kv-store';
import type { Clock } from '../wait/deadlines.ts';
import { LongAnswer, type LongWork } from './long-answer.ts';

/** Each may hold a read transaction open, and in memory what it has read and made of it. */
const MAX_AT_ONCE = 8;

/** While a read transaction is open the write-ahead log grows. */
const MAX_DURATION_MS = 60_000;

/**
 * The answers that are being made, a step in each turn of the event loop, in rotation: however many there are, whoever
 * else asks is held up by one step.
 */
export class LongAnswers {
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  #underWay: LongAnswer[] = [];
  /** Those that began before the state was replaced: nobody else joins them. */
  #outdated = new WeakSet<LongAnswer>();

  /** `onEnd` is called when one of them is over, so that another one may begin. */
  constructor(clock: Clock, onEnd: () => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  get isFull(): boolean {
    return this.#underWay.length >= MAX_AT_ONCE;
  }

  find(version: Version, key: string): LongAnswer | null {
    for (const answer of this.#underWay) {
      if (answer.isOf(version, key) && !this.#outdated.has(answer)) return answer;
    }
    return null;
  }

  /** Must be joined in the same turn. */
  begin(work: Omit<LongWork, 'endsAt'>): LongAnswer {
    const answer = new LongAnswer({ ...work, endsAt: this.#clock.now() + MAX_DURATION_MS });
    this.#underWay.push(answer);
    if (this.#underWay.length === 1) setImmediate(() => this.#turn());
    return answer;
  }

  /** The state was replaced: the same version may show something else. */
  forget(): void {
    for (const answer of this.#underWay) this.#outdated.add(answer);
  }

  #turn(): void {
    const [answer, ...others] = this.#underWay;
    if (answer === undefined) return;
    const goesOn = answer.proceed(this.#clock.now());
    this.#underWay = goesOn ? [...others, answer] : others;
    if (!goesOn) this.#onEnd();
    if (this.#underWay.length > 0) setImmediate(() => this.#turn());
  }
}
