declare const brand: unique symbol;

/**
 * The client's number: counts the committed commands that changed something; 0 when empty. Equal on every node for
 * equal state, after every restart and fail-over, so a client may take it from one node to any other.
 */
export type Version = number & { readonly [brand]: 'Version' };

/** Throws a RangeError unless `value` is a non-negative safe integer. */
export function version(value: number): Version {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a version: ${value}`);
  return value as Version;
}
