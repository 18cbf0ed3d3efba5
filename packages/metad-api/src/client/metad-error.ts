export type MetadErrorKind =
  /** Something has changed since the version that the write names, or it does not stand as the write asks for. */
  | 'preconditionFailed'
  /** The idempotency key belongs to another request. */
  | 'keyReused'
  /** The node does not know the resource that was asked for. A path without a value is no error but an answer. */
  | 'notFound'
  /** The request makes no sense to the node, or is larger than it takes: it will never be accepted. */
  | 'invalid'
  /** No node could do it within the time that was given. Definitely not done. */
  | 'unavailable'
  /** A write may have been applied, or may be yet. Sent again under the same idempotency key it is applied once. */
  | 'unknownOutcome'
  /** The token is missing or wrong, or the node refuses this client. */
  | 'forbidden'
  /** The state takes as much as it may: only deletions are taken. */
  | 'stateFull'
  /** The version that was asked for is older than what is kept. */
  | 'gone';

/** Why a call has not done what it was asked to. */
export class MetadError extends Error {
  override readonly name = 'MetadError';
  readonly kind: MetadErrorKind;
  /** The HTTP status of the last answer; null when there was none. */
  readonly status: number | null;
  /** The version of the node's state when it answered; null when it did not say. */
  readonly version: number | null;
  /**
   * Whether an attempt of this call may have been applied, or may be yet, though the last one was refused: a node that
   * hangs with a request may take it up again later.
   */
  readonly mayHaveApplied: boolean;

  constructor(
    kind: MetadErrorKind,
    message: string,
    more: {
      readonly status?: number | null;
      readonly version?: number | null;
      readonly mayHaveApplied?: boolean;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.kind = kind;
    this.status = more.status ?? null;
    this.version = more.version ?? null;
    this.mayHaveApplied = more.mayHaveApplied ?? false;
  }
}

/** What a status means that no other attempt can change; null for the ones that another attempt may. */
export function finalKind(status: number): MetadErrorKind | null {
  switch (status) {
    case 401:
    case 403:
      return 'forbidden';
    case 404:
      return 'notFound';
    case 410:
      return 'gone';
    case 412:
      return 'preconditionFailed';
    case 422:
      return 'keyReused';
    case 507:
      return 'stateFull';
    case 408:
    case 429:
      return null;
    default:
      return status >= 400 && status < 500 ? 'invalid' : null;
  }
}
