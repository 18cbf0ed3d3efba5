import type { Version } from '@metad/kv-store';
import { type Answer, notModifiedAnswer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { CACHE_HEADERS } from '../http/cache-headers.ts';
import { etagOf, readEtags } from '../http/etag.ts';
import type { Format } from '../http/negotiate.ts';

/** The newest state that the client has in that format, by `If-None-Match`; `any`: whatever there is; null: none. */
export function heldVersion(request: ApiRequest, format: Format): Version | 'any' | null {
  const header = request.header('if-none-match');
  const list = header === undefined ? null : readEtags(header);
  if (list?.type === 'any') return 'any';
  if (list?.type !== 'tags') return null;
  let newest: Version | null = null;
  for (const tag of list.tags) {
    const fits = tag.format === null || tag.format === format;
    if (fits && (newest === null || tag.version > newest)) newest = tag.version;
  }
  return newest;
}

/** `answer`, or that it is no other than what the client holds. `mayDiffer` is asked about an older version. */
export function conditionalAnswer(
  answer: Answer,
  format: Format,
  held: Version | 'any' | null,
  mayDiffer: (since: Version) => boolean,
): Answer {
  const { status, version } = answer;
  if (held === null || status !== 200 || version === null) return answer;
  const isSame = held === 'any' || held === version || (held < version && !mayDiffer(held));
  if (!isSame) return answer;
  return notModifiedAnswer({ etag: etagOf(version, format), version, headers: CACHE_HEADERS });
}
