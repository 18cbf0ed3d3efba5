import { setTimeout } from 'node:timers/promises';
import type { NodeId } from '@metad/raft-core';
import type { Logger } from 'pino';
import { request } from 'undici';

const RETRY_MS = 1_000;
const ANSWER_TIMEOUT_MS = 35_000;

export interface JoinLoopOptions {
  /** `HOST:PORT` of the cluster ports to ask. */
  readonly members: readonly string[];
  readonly node: NodeId;
  /** Where the others reach this node. */
  readonly addr: string;
  readonly token: string | null;
  readonly logger: Logger;
}

/**
 * What `--join` does: asks one member after the other to add this node as a learner, until one confirms it. The
 * member's refusal goes into the log: it says what to do.
 */
export class JoinLoop {
  readonly #options: JoinLoopOptions;
  readonly #abort = new AbortController();

  constructor(options: JoinLoopOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    const { members, logger } = this.#options;
    const told = new Map<string, string>();
    for (let attempt = 0; !this.#abort.signal.aborted; attempt += 1) {
      const member = members[attempt % members.length] ?? '';
      const problem = await this.#ask(member);
      if (problem === null) {
        logger.info({ member }, 'added to the cluster as a learner');
        return;
      }
      if (this.#abort.signal.aborted) return;
      logger[told.get(member) === problem ? 'debug' : 'warn'](
        { member, problem },
        'not added to the cluster yet',
      );
      told.set(member, problem);
      await this.#pause();
    }
  }

  /** Why the member did not add this node; null when it did. */
  async #ask(member: string): Promise<string | null> {
    const { node, addr, token } = this.#options;
    try {
      const { statusCode, body } = await request(`http://${member}/add-learner`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify([node, addr]),
        headersTimeout: ANSWER_TIMEOUT_MS,
        signal: this.#abort.signal,
      });
      const text = await body.text();
      return statusCode === 200 ? null : `${statusCode}: ${text}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Ends early when the loop is stopped. */
  async #pause(): Promise<void> {
    const { signal } = this.#abort;
    await setTimeout(RETRY_MS, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
