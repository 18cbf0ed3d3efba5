import type { Version } from '@metad/kv-store';
import type { Answer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import type { Waiters, WaitRequest } from '../wait/wait.ts';
import type { WaitEnd } from '../wait/waiter.ts';

/** What is asked of a read that waits: for whom, from where on, for how long. */
export interface HeldReadRequest {
  readonly client: Pick<ApiRequest, 'onGone'>;
  readonly host: string | null;
  readonly path: string;
  /** The client has seen the state at this version; null: what there is now is what it waits to see change. */
  readonly since: Version | null;
  readonly timeoutMs: number;
  readonly jitterMs: number;
  /** What is sent once the wait has ended so; read anew. */
  answerAfter(end: WaitEnd): Answer | Promise<Answer>;
  /** Called once, when nothing is held any more. */
  onClosed(): void;
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
  readonly host: string | null;
  readonly path: string;
  readonly since: Version | null;
  readonly timeoutMs: number;
  readonly jitterMs: number;
  readonly #request: HeldReadRequest;
  readonly #waiters: Waiters;
  #door: AnswerDoor | null = null;
  #leave: (() => void) | null = null;

  constructor(request: HeldReadRequest, waiters: Waiters) {
    this.host = request.host;
    this.path = request.path;
    this.since = request.since;
    this.timeoutMs = request.timeoutMs;
    this.jitterMs = request.jitterMs;
    this.#request = request;
    this.#waiters = waiters;
  }

  /** To be called once. Never throws. */
  begin(door: AnswerDoor): void {
    this.#door = door;
    try {
      const held = this.#waiters.hold(this);
      if (typeof held === 'string') this.onEnd(held);
      else this.#leave = this.#request.client.onGone(() => this.#waiters.end(held, 'gone'));
    } catch (error) {
      this.#request.onClosed();
      door.fail(error);
    }
  }

  onEnd(end: WaitEnd): void {
    const door = this.#door;
    this.#leave?.();
    this.#request.onClosed();
    try {
      const answer = this.#request.answerAfter(end);
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
