import { randomBytes } from 'node:crypto';

/**
 * Makes ids that differ for each request, and from those of every other process. Cheap on purpose: they are for finding
 * a request in a log, they are no secret.
 */
export function createRequestIds(): () => string {
  const prefix = randomBytes(6).toString('hex');
  let count = 0;
  return () => {
    count += 1;
    return `${prefix}-${count.toString(36)}`;
  };
}
