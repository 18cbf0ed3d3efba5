import { setTimeout } from 'node:timers/promises';
import type { NodeId } from '@metad/raft-core';
import type { Logger } from 'pino';
import { request } from 'undici';
import { JOIN, JOINED } from './cluster-http/join-route.ts';
import { ASK, CHALLENGE, type SignedHeaders, SignedRequest } from './peers/token-proof.ts';
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

interface Asked {
  readonly added: boolean;
  readonly text: string;
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

  async #ask(member: string): Promise<Asked> {
    const { node, addr, token } = this.#options;
    const wish = { [JOIN]: JSON.stringify([node, addr]) };
    try {
      if (token === null) return await this.#join(member, wish, () => true);
      const challenge = await this.#challenge(member);
      if (typeof challenge !== 'string') return challenge;
      const signed = new SignedRequest(token, challenge, wish);
      return await this.#join(member, signed.headers, (headers) => signed.isAnsweredBy(headers));
    } catch (error) {
      return { added: false, text: reasonOf(error) };
    }
  }

  /** The token is never sent: who answers may be anybody. */
  async #challenge(member: string): Promise<string | Asked> {
    const { headers, text } = await this.#send(member, { [CHALLENGE]: ASK });
    const challenge = headers[CHALLENGE];
    return typeof challenge === 'string' ? challenge : { added: false, text };
  }

  async #join(
    member: string,
    wish: Readonly<Record<string, string>>,
    isProvenBy: (headers: SignedHeaders) => boolean,
  ): Promise<Asked> {
    const { headers, text } = await this.#send(member, wish);
    // Anything may answer at a wrong address.
    if (headers[JOINED] === undefined) return { added: false, text };
    if (!isProvenBy(headers)) return { added: false, text: 'who answers does not prove the cluster token' };
    return { added: headers[JOINED] === 'yes', text };
  }

  async #send(
    member: string,
    wish: Readonly<Record<string, string>>,
  ): Promise<{ readonly headers: SignedHeaders; readonly text: string }> {
    const { statusCode, headers, body } = await request(`http://${member}/join`, {
      method: 'POST',
      headers: wish,
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
      signal: this.#abort.signal,
    });
    return { headers, text: `${statusCode}: ${await readStart(body)}` };
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
