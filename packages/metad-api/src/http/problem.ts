/** Why a request is not answered with what it asked for. An outcome, not a fault: it is returned, never thrown. */
export interface Problem {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is missing, forbidden, or not mapped: the three must not be told apart. */
export const NOT_FOUND: Problem = { status: 404, message: 'Not found' };

/** Nobody reads it; it is for the count of requests by status. */
export const CLIENT_GONE: Problem = { status: 499, message: 'The client has gone' };

/** Seconds after which a client may try again what this node could not do just now. */
const RETRY_AFTER_SECONDS = 1;

export function badRequest(message: string): Problem {
  return { status: 400, message };
}

/** Of a body, all of which are JSON. */
export function invalidJson(reason: string): Problem {
  return badRequest(`invalid json: ${reason}`);
}

export function tooLarge(message: string): Problem {
  return { status: 413, message };
}

/** Definitely not done; worth trying again once somebody has made room. */
export function outOfRoom(message: string): Problem {
  return { status: 507, message };
}

/** Definitely not done; worth trying again soon, here or at another node. */
export function unavailable(message: string): Problem {
  return { status: 503, message, headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) } };
}

/** This client has enough of them; others may have one. */
export function tooManyRequests(message: string): Problem {
  return { status: 429, message, headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) } };
}

export function methodNotAllowed(allowed: string): Problem {
  return { status: 405, message: 'Method not allowed', headers: { Allow: allowed } };
}

/** Lets a function return either a value or what is wrong with the request. */
export type Checked<T> =
  | { readonly type: 'ok'; readonly value: T }
  | { readonly type: 'problem'; readonly problem: Problem };

export function ok<T>(value: T): Checked<T> {
  return { type: 'ok', value };
}

export function refuse<T>(problem: Problem): Checked<T> {
  return { type: 'problem', problem };
}
