import type { Version } from '@metad/kv-store';
import { etagOf } from './etag.ts';
import type { Format } from './negotiate.ts';

/** Every client sees its own: nobody else may be shown what one was answered, nor the same one without asking again. */
export const CACHE_HEADERS = { 'Cache-Control': 'private, no-cache', Vary: 'Accept' } as const;

/** What goes with the answer to a read, so that the client can ask later whether it still holds. */
export function tagHeaders(version: Version, format: Format): Readonly<Record<string, string>> {
  const { Vary } = CACHE_HEADERS;
  return { 'Cache-Control': CACHE_HEADERS['Cache-Control'], Vary, ETag: etagOf(version, format) };
}
