import type { Version } from '@metad/kv-store';
import type { Answer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import type { Waiters, WaitRequest } from '../wait/wait.ts';
import type { WaitEnd } from '../wait/waiter.ts';
import type { heldVersion } from './conditional.ts';
import type { Question } from './question.ts';

/** From where on a read waits, and for how long. */
export interface Wait {
  /** The client has seen the state at this version; null: what there is now is what it waits to see change. */
  readonly since: Version | null;
  readonly timeoutMs: number;
  readonly jitterMs: number;
}

/** What all reads that are held have in common: where they wait, and what becomes of them. */
export interface HeldReads {
  readonly waiters: Waiters;
  /** What is sent once the wait has ended so; read anew. */
  answerAfter(read: HeldRead, end: WaitEnd): Answer | Promise<Answer>;
  /** Called once, when nothing is held any more. */
  close(read: HeldRead): void;
}

/** Where the one answer goes: one of the two is called, once. */
export interface AnswerDoor {
  answer(answer: Answer): void;
  fail(error: unknown): void;
}

/**
 * A read that is held until what it shows may have changed. While it is, this and its waiter are all that is kept for it,
 * and from the change to the answer it takes one call: a change may release ten thousand.
 */
export class HeldRead implements WaitRequest {
  readonly question: Question;
  readonly request: ApiRequest;
  readonly since: Version | null;
  readonly timeoutMs: number;
  readonly jitterMs: number;
  /** What the client has already: it is not sent again. */
  readonly has: ReturnType<typeof heldVersion>;
  readonly #reads: HeldReads;
  #door: AnswerDoor | null = null;
  #leave: (() => void) | null = null;

  constructor(
    asked: {
      readonly question: Question;
      readonly request: ApiRequest;
      readonly wait: Wait;
      readonly has: HeldRead['has'];
    },
    reads: HeldReads,
  ) {
    this.question = asked.question;
    this.request = asked.request;
    this.since = asked.wait.since;
    this.timeoutMs = asked.wait.timeoutMs;
    this.jitterMs = asked.wait.jitterMs;
    this.has = asked.has;
    this.#reads = reads;
  }

  get host(): string | null {
    return this.question.host;
  }

  get path(): string {
    return this.question.path;
  }

  /** To be called once. Never throws. */
  begin(door: AnswerDoor): void {
    const { waiters } = this.#reads;
    this.#door = door;
    try {
      const held = waiters.hold(this);
      if (typeof held === 'string') this.onEnd(held);
      else this.#leave = this.request.onGone(() => waiters.end(held, 'gone'));
    } catch (error) {
      this.#reads.close(this);
      door.fail(error);
    }
  }

  onEnd(end: WaitEnd): void {
    const door = this.#door;
    this.#leave?.();
    this.#reads.close(this);
    try {
      const answer = this.#reads.answerAfter(this, end);
      if (!(answer instanceof Promise)) door?.answer(answer);
      else
        answer.then(
          (one) => door?.answer(one),
          (error: unknown) => door?.fail(error),
        );
    } catch (error) {
      door?.fail(error);
    }
  }
}
