import type { Judgement } from './answer.ts';
import { pause } from './backoff.ts';
import type { Attempt, Connection } from './connection.ts';
import type { NodeAnswer, Outgoing } from './exchange.ts';
import { MetadError } from './metad-error.ts';

/** What a call may be told. */
export interface CallOptions {
  /** Ends the call at once, which rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long the call may take with all its attempts; the client's own limit by default. */
  readonly timeoutMs?: number | undefined;
}

export interface Plan<T> {
  readonly outgoing: Outgoing;
  /** An unknown outcome is one of writes only. */
  readonly isWrite: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly judge: (answer: NodeAnswer) => Judgement<T>;
  /** Whether what refuses the last attempt refuses those before it as well, whenever they may be taken up. */
  readonly refusesAll?: (error: MetadError) => boolean;
}

interface Failure {
  readonly attempt: Attempt;
  readonly reason: string;
}

/**
 * Asks one node after the other until one of them gives an answer, or until the time is up. A request must be one that
 * can be sent twice. Rejects with a `MetadError`, or with the reason of an aborted signal.
 */
export async function call<T>(connection: Connection, plan: Plan<T>): Promise<T> {
  const deadlineMs = performance.now() + plan.timeoutMs;
  let failures = 0;
  let mayHaveApplied = false;
  let telling: Failure | null = null;
  for (;;) {
    const leftMs = deadlineMs - performance.now();
    const timeLimitMs = Math.max(1, Math.min(plan.outgoing.timeLimitMs, leftMs));
    const attempt = await connection.ask({ ...plan.outgoing, timeLimitMs }, plan.signal);
    const judgement = judge(attempt, plan);
    if (judgement.type === 'done') return judgement.value;
    if (judgement.type === 'refused') {
      const isSettled = plan.refusesAll?.(judgement.error) ?? false;
      throw afterAttempts(judgement.error, mayHaveApplied && !isSettled);
    }
    mayHaveApplied ||= plan.isWrite && judgement.mayHaveApplied;
    if (isIdleClose(attempt)) continue;
    failures += 1;
    connection.moveOn(attempt);
    const pauseMs = connection.pauseMs(failures);
    // What ends only because the call's own time is up says less than the failure before it.
    const isCut = attempt.result.type === 'failed' && timeLimitMs < plan.outgoing.timeLimitMs;
    if (telling === null || !isCut) telling = { attempt, reason: judgement.reason };
    if (performance.now() + pauseMs >= deadlineMs) throw givenUp(telling, mayHaveApplied);
    await pause(pauseMs, connection.signals(plan.signal));
  }
}

/**
 * Whether a node has just closed a connection that was kept for it, which is its right and says nothing about it: it is
 * asked again at once. That ends, because each time there is one kept connection less.
 */
export function isIdleClose({ result }: Attempt): boolean {
  return result.type === 'failed' && result.wasKeptConnection;
}

function judge<T>({ result }: Attempt, plan: Plan<T>): Judgement<T> {
  if (result.type === 'answer') return plan.judge(result);
  return { type: 'failed', reason: result.reason, mayHaveApplied: result.mayHaveArrived };
}

function afterAttempts(error: MetadError, mayHaveApplied: boolean): MetadError {
  if (!mayHaveApplied) return error;
  const { kind, message, status, version } = error;
  return new MetadError(kind, message, { status, version, mayHaveApplied });
}

function givenUp({ attempt, reason }: Failure, mayHaveApplied: boolean): MetadError {
  const { node, result } = attempt;
  const kind = mayHaveApplied ? 'unknownOutcome' : 'unavailable';
  const status = result.type === 'answer' ? result.status : null;
  const cause = result.type === 'failed' ? result.cause : undefined;
  return new MetadError(kind, `no node did it in time; at last ${node.url.origin} ${reason}`, {
    status,
    cause,
    mayHaveApplied,
  });
}
