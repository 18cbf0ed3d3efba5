import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * Tells whether an `Authorization` header carries the token. Compares digests, so that neither the content nor the
 * length of the token shows in the time that it takes.
 */
export function createTokenCheck(token: string): (authorization: string | undefined) => boolean {
  const expected = digest(token);
  return (authorization) => {
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(digest(given), expected);
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
