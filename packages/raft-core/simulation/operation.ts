/**
 * What one client did to one key, and what it learned. Operations of all clients together are a history.
 *
 * An operation that was called and not answered is one whose outcome is unknown: a client records it so when it calls,
 * and replaces the outcome when the answer comes.
 */
export type Operation = Put | Delete | Read;

interface Call {
  readonly client: number;
  readonly key: string;
  /**
   * When it was called: virtual time, or a count of events. Only the order counts. One operation precedes another if
   * it returned before (less than, not equal) the other was called; otherwise the two are concurrent.
   */
  readonly call: number;
}

export interface Put extends Call {
  readonly type: 'put';
  readonly value: string;
  readonly outcome: WriteOutcome;
}

/** Succeeds whether or not the key has a value. */
export interface Delete extends Call {
  readonly type: 'delete';
  readonly outcome: WriteOutcome;
}

export interface Read extends Call {
  readonly type: 'read';
  readonly outcome: ReadOutcome;
}

export type WriteOutcome =
  /** Took effect once, between `call` and `at`. */
  { readonly type: 'ok'; readonly at: number } | NoAnswer;

export type ReadOutcome =
  /** Saw `value` at some moment between `call` and `at`; null: the key had none. */
  { readonly type: 'ok'; readonly at: number; readonly value: string | null } | NoAnswer;

type NoAnswer =
  /** Had no effect and never will. */
  | { readonly type: 'failed' }
  /** Takes effect once, at any time after `call`, or never. */
  | { readonly type: 'unknown' };
