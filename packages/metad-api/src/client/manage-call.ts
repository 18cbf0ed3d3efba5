import { randomUUID } from 'node:crypto';
import { documentOf, done, type Judgement, judgeProblem, unusable, versionOf } from './answer.ts';
import { type CallOptions, call, type Plan } from './call.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import type { NodeAnswer, Outgoing } from './exchange.ts';
import { MetadError } from './metad-error.ts';

const DEFAULT_TIMEOUT_MS = 60_000;
/** Longer than a node waits for a leader, and then for a majority. */
const DEFAULT_ATTEMPT_TIMEOUT_MS = 20_000;

export interface ManageConnectionOptions extends ConnectionOptions {
  /** The manage token of the nodes. */
  readonly token?: string | undefined;
  /** Who writes, for the history: printable ASCII, at most 128 characters. */
  readonly author?: string | undefined;
}

export interface ManageReadOptions extends CallOptions {
  /** `linearizable` (default): all that was acknowledged before. `local`: what the asked node has applied. */
  readonly consistency?: 'local' | 'linearizable' | undefined;
}

/** What must be there for a write to be done. Else it is refused as `preconditionFailed`. */
export type WriteCondition =
  /** Something stands at or below the path, and nothing of it was changed after this version. */
  | { readonly version: number }
  /** Nothing stands at or below the path. */
  | 'absent'
  /** Something does. */
  | 'present';

export interface WriteOptions extends CallOptions {
  /** Who writes, in place of the client's author. */
  readonly author?: string | undefined;
  /**
   * Attempts under one key are one write, for a day. Every call takes a random one, so that its own attempts are; give
   * one to make calls the same that are made after a restart, 1 to 255 visible ASCII characters.
   */
  readonly idempotencyKey?: string | undefined;
}

export interface WriteResult {
  /** The version that the write got. */
  readonly version: number;
  /** Whether an earlier attempt had been applied already. */
  readonly replayed: boolean;
}

/** What is read, at the version of the answer. */
export interface ReadAnswer {
  readonly version: number;
  /** Null: there is nothing at the path. */
  readonly document: unknown;
}

export interface WriteRequest {
  readonly method: 'PUT' | 'POST' | 'DELETE';
  readonly target: string;
  readonly body?: unknown;
  readonly condition?: WriteCondition | undefined;
  /** Whether all its conditions are versions, those in the body included. */
  readonly isVersioned?: boolean | undefined;
}

interface CallParts<T> extends Pick<Plan<T>, 'isWrite' | 'judge' | 'refusesAll'> {
  readonly outgoing: Omit<Outgoing, 'timeLimitMs'>;
  readonly options: CallOptions;
}

/** The calls of the manage API: how they are sent, again if need be, and what comes back. */
export class ManageCalls {
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #attemptTimeoutMs: number;
  readonly #author: string | undefined;

  constructor({ token, author, headers, ...options }: ManageConnectionOptions) {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#connection = new Connection({ ...options, headers: { ...headers, ...authorization } });
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#attemptTimeoutMs = options.attemptTimeoutMs ?? DEFAULT_ATTEMPT_TIMEOUT_MS;
    this.#author = author;
  }

  get version(): number {
    return this.#connection.version;
  }

  /** At least as new as any answer before, to reads and to writes; but what `isPast` is as old as it was asked to be. */
  async read(
    target: string,
    { isPast = false, ...options }: CallOptions & { readonly isPast?: boolean },
  ): Promise<ReadAnswer> {
    const known = this.version;
    const minVersion = isPast ? 0 : known;
    const seen = known === 0 ? {} : { 'x-metad-version': String(known) };
    const answer = await this.#call({
      outgoing: { method: 'GET', target, headers: { accept: 'application/json', ...seen } },
      isWrite: false,
      options,
      judge: (answer) => judgeRead(answer, minVersion),
    });
    this.#connection.noteVersion(answer.version);
    return answer;
  }

  async write(
    { method, target, body, condition, isVersioned = typeof condition === 'object' }: WriteRequest,
    options: WriteOptions,
  ): Promise<WriteResult> {
    const { author = this.#author, idempotencyKey = randomUUID() } = options;
    const headers = {
      accept: 'application/json',
      'idempotency-key': idempotencyKey,
      ...(author === undefined ? {} : { 'x-metad-author': author }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...conditionHeader(condition),
    };
    const text = body === undefined ? undefined : JSON.stringify(body);
    const result = await this.#call({
      outgoing: { method, target, headers, body: text },
      isWrite: true,
      options,
      judge: judgeWrite,
      // What has changed since a version has changed for good; what is there now may be gone when an attempt that hangs
      // goes on.
      refusesAll: ({ kind }) => isVersioned && kind === 'preconditionFailed',
    });
    this.#connection.noteVersion(result.version);
    return result;
  }

  close(): void {
    this.#connection.close();
  }

  #call<T>({ outgoing, options, ...plan }: CallParts<T>): Promise<T> {
    return call(this.#connection, {
      ...plan,
      outgoing: { ...outgoing, timeLimitMs: this.#attemptTimeoutMs },
      timeoutMs: options.timeoutMs ?? this.#timeoutMs,
      signal: options.signal,
    });
  }
}

function conditionHeader(condition: WriteCondition | undefined): Record<string, string> {
  if (condition === undefined) return {};
  if (condition === 'absent') return { 'if-none-match': '*' };
  return { 'if-match': condition === 'present' ? '*' : `"${condition.version}"` };
}

function judgeRead(answer: NodeAnswer, minVersion: number): Judgement<ReadAnswer> {
  const version = versionOf(answer);
  const { status } = answer;
  if ((status !== 200 && status !== 404) || (status === 404 && version === null)) return judgeProblem(answer);
  if (version === null) return unusable('answered without a version');
  if (version < minVersion) {
    return unusable(`is behind: it has version ${version}, ${minVersion} was seen already`);
  }
  if (status === 404) return done({ version, document: null });
  const document = documentOf(answer);
  return document === undefined
    ? unusable('answered something that is no JSON')
    : done({ version, document });
}

function judgeWrite(answer: NodeAnswer): Judgement<WriteResult> {
  if (answer.status !== 200) return judgeProblem(answer);
  const version = versionOf(answer);
  if (version === null) return unusable('answered without a version');
  return done({ version, replayed: answer.headers['idempotency-replayed'] === 'true' });
}

/** Throws for what no node of ours answers; later attempts would get the same. */
export function expectDocument<T>(
  document: unknown,
  isExpected: (document: unknown) => document is T,
  what: string,
): T {
  if (isExpected(document)) return document;
  throw new MetadError('unavailable', `the node answered something else than ${what}`);
}
