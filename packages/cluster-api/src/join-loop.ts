import { setTimeout } from 'node:timers/promises';
import type { NodeId } from '@metad/raft-core';
import type { Logger } from 'pino';
import { request } from 'undici';
import { reasonOf } from './reason.ts';

const RETRY_MS = 1_000;
const ANSWER_TIMEOUT_MS = 35_000;
const MAX_ANSWER_BYTES = 2_048;

export interface JoinLoopOptions {
  /** `HOST:PORT` of the cluster ports to ask. */
  readonly members: readonly string[];
  readonly node: NodeId;
  /** Where the others reach this node. */
  readonly addr: string;
  readonly token: string | null;
  /** Whether a member has spoken to this node: then it belongs to the cluster. */
  readonly isMember: () => boolean;
  readonly logger: Logger;
}

/**
 * What `--join` does: asks one member after the other to add this node as a learner, until a member
 * speaks to it. A refusal goes into the log: it says what to do.
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
    const { members, logger, isMember } = this.#options;
    const told = new Map<string, string>();
    for (let attempt = 0; !this.#abort.signal.aborted && !isMember(); attempt += 1) {
      const member = members[attempt % members.length] ?? '';
      const answer = await this.#ask(member);
      if (this.#abort.signal.aborted) return;
      const isNews = told.get(member) !== answer.text;
      const level = !isNews ? 'debug' : answer.added ? 'info' : 'warn';
      logger[level]({ member, answer: answer.text }, answer.added ? 'added as a learner' : 'not added yet');
      told.set(member, answer.text);
      await this.#pause();
    }
  }

  async #ask(member: string): Promise<{ readonly added: boolean; readonly text: string }> {
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
        bodyTimeout: ANSWER_TIMEOUT_MS,
        signal: this.#abort.signal,
      });
      const text = await readStart(body);
      // Anything else may answer 200 at a wrong address.
      return { added: statusCode === 200 && text.startsWith('{"Ok":'), text: `${statusCode}: ${text}` };
    } catch (error) {
      return { added: false, text: reasonOf(error) };
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

/** As much of an answer as is worth showing. */
async function readStart(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes >= MAX_ANSWER_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, MAX_ANSWER_BYTES);
}
