import { readFileSync } from 'node:fs';
import { type Dispatcher, errors, request } from 'undici';
import { parseDialAddress } from '../config/address.ts';
import { isToken, TOKEN_FORM } from '../config/values.ts';
import { reasonOf } from '../reason.ts';
import { CommandError } from './command-error.ts';
import { parseJson } from './json.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly body: Dispatcher.ResponseData['body'];
}

/** How long a node may be silent once it has begun to answer. */
const SILENCE_MS = 60_000;

/** The cluster port of one node. */
export class Endpoint {
  readonly url: URL;
  readonly #token: string | null;
  readonly #signal: AbortSignal;

  private constructor(options: { url: URL; token: string | null; signal: AbortSignal }) {
    this.url = options.url;
    this.#token = options.token;
    this.#signal = options.signal;
  }

  /** Throws a CommandError for a token that is none. */
  static open(options: {
    readonly url: URL;
    readonly tokenFile: string | null;
    readonly signal: AbortSignal;
  }): Endpoint {
    const token = options.tokenFile === null ? null : readToken(options.tokenFile);
    return new Endpoint({ url: options.url, token, signal: options.signal });
  }

  /** The same for another node of that cluster. */
  at(address: string): Endpoint {
    const url = new URL(`${this.url.protocol}//${address}`);
    return new Endpoint({ url, token: this.#token, signal: this.#signal });
  }

  /** Asks, whatever the answer. Throws a CommandError when there is none within `patienceMs`. */
  async ask(method: 'GET' | 'HEAD' | 'POST', path: string, patienceMs: number): Promise<Answer> {
    try {
      const { statusCode, headers, body } = await request(new URL(path, this.url), {
        method,
        ...(this.#token === null ? {} : { headers: { authorization: `Bearer ${this.#token}` } }),
        headersTimeout: patienceMs,
        bodyTimeout: SILENCE_MS,
        signal: this.#signal,
      });
      return { status: statusCode, headers, body };
    } catch (error) {
      throw this.#unanswered(error);
    }
  }

  /** The whole body of an answer. Throws a CommandError. */
  text({ body }: Answer): Promise<string> {
    return body.text().catch((error: unknown) => {
      throw this.brokenOff(error);
    });
  }

  /** What is said of an answer that ends before its end. */
  brokenOff(error: unknown): CommandError {
    return this.#failure(`breaks off its answer: ${connectionReason(error)}`);
  }

  /** What is said of an answer other than 200; takes its body. */
  async refused(answer: Answer): Promise<CommandError> {
    const { status, headers } = answer;
    const text = await this.text(answer);
    const reason = headers['x-metad-error'] ?? findMessage(parseJson(text)) ?? firstLine(text);
    const advice = status === 401 ? ' (--token_file)' : '';
    return this.#failure(`answers ${status}: ${String(reason)}${advice}`);
  }

  #unanswered(error: unknown): CommandError {
    if (error instanceof errors.HeadersTimeoutError) return this.#failure('does not answer in time');
    return this.#failure(`cannot be reached: ${connectionReason(error)}`);
  }

  #failure(what: string): CommandError {
    return new CommandError(`${this.url.origin} ${what}`);
  }
}

/** Reads `HOST:PORT` or `http(s)://HOST:PORT`; null for what says more, or less. */
export function parseEndpoint(text: string): URL | null {
  const [, protocol = 'http:', address = ''] = /^(?:(https?:)\/\/)?(.*?)\/?$/i.exec(text) ?? [];
  return parseDialAddress(address) === null ? null : new URL(`${protocol}//${address}`);
}

function readToken(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CommandError(`cannot read the token: ${reasonOf(error)}`);
  }
  if (!isToken(text)) throw new CommandError(`expected ${file} to hold ${TOKEN_FORM}`);
  return text;
}

/** Several addresses of one name fail together, without a message of their own. */
function connectionReason(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(reasonOf).join(', ') : reasonOf(error);
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1).join('').slice(0, 200);
}

/** The first `message` in an answer: every form of error on the cluster port has one. */
function findMessage(value: unknown): string | null {
  if (value === null || typeof value !== 'object') return null;
  for (const [name, inner] of Object.entries(value)) {
    const found = name === 'message' && typeof inner === 'string' ? inner : findMessage(inner);
    if (found !== null) return found;
  }
  return null;
}
