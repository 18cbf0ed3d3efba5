/** A broken invariant: a bug in this program, never a client's or a disk's fault. The process must stop. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** States an invariant. Stays on in production: a node that finds its own state impossible stops. */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === 'string' ? message : message());
}

/** Closes an exhaustive `switch`: compiles only while every variant is handled. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
