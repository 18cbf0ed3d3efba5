import { isIdempotencyKey, type WriteCommand } from '@metad/kv-store';
import type { ApiRequest } from '../http/api-request.ts';
import { canonicalAddress } from '../http/ip-address.ts';
import { badRequest, type Checked, ok, refuse } from '../http/problem.ts';

/** Bounded by what a command may hold. */
const AUTHOR_NAME = /^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/;

/** Who writes, and the key under which the write is done once. */
export function readWriteHeaders(http: ApiRequest): Checked<Pick<WriteCommand, 'author' | 'idempotencyKey'>> {
  const idempotencyKey = http.header('idempotency-key');
  if (idempotencyKey !== undefined && !isIdempotencyKey(idempotencyKey)) {
    return refuse(badRequest('Idempotency-Key is 1 to 255 visible ASCII characters'));
  }
  const name = http.header('x-metad-author');
  if (name !== undefined && !AUTHOR_NAME.test(name)) {
    return refuse(badRequest('X-Metad-Author is 1 to 128 printable ASCII characters'));
  }
  const author = authorOf(name, canonicalAddress(http.peerAddress ?? ''));
  return ok({ author, idempotencyKey: idempotencyKey ?? '' });
}

/** A name is what the client claims, the address what is known. */
function authorOf(name: string | undefined, address: string | null): string {
  if (name === undefined) return address ?? '';
  return address === null ? name : `${name} (${address})`;
}
