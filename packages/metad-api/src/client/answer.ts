import type { NodeAnswer } from './exchange.ts';
import { finalKind, MetadError } from './metad-error.ts';

/** What an answer comes to. */
export type Judgement<T> =
  | { readonly type: 'done'; readonly value: T }
  /** No other attempt would end otherwise. */
  | { readonly type: 'refused'; readonly error: MetadError }
  /** Another attempt may succeed. */
  | { readonly type: 'failed'; readonly reason: string; readonly mayHaveApplied: boolean };

export function done<T>(value: T): Judgement<T> {
  return { type: 'done', value };
}

/** For an answer that is none of metad's, or that is cut, or older than it may be. */
export function unusable<T>(reason: string): Judgement<T> {
  return { type: 'failed', reason, mayHaveApplied: true };
}

/** The version that an answer carries; null when it carries none. */
export function versionOf({ headers }: NodeAnswer): number | null {
  const header = headers['x-metad-version'];
  const version = typeof header === 'string' && /^\d{1,16}$/.test(header) ? Number(header) : null;
  return version !== null && Number.isSafeInteger(version) ? version : null;
}

/** For every status that is none of those that a call hopes for. */
export function judgeProblem<T>(answer: NodeAnswer): Judgement<T> {
  const { status } = answer;
  const message = messageOf(answer) ?? `answered ${status}`;
  const kind = finalKind(status);
  if (kind !== null) {
    return { type: 'refused', error: new MetadError(kind, message, { status, version: versionOf(answer) }) };
  }
  // Only these two promise that nothing has happened.
  const mayHaveApplied = status !== 503 && status !== 429;
  return { type: 'failed', reason: `answered ${status}: ${message}`, mayHaveApplied };
}

/** The document of an answer; undefined when it is no JSON, which no node sends when it was asked for JSON. */
export function documentOf({ text }: NodeAnswer): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function messageOf(answer: NodeAnswer): string | null {
  const document = documentOf(answer);
  if (typeof document !== 'object' || document === null || !('message' in document)) return null;
  return typeof document.message === 'string' ? document.message : null;
}
