import type { Version } from '@metad/kv-store';
import { type Answer, notModifiedAnswer } from '../http/answer.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { CACHE_HEADERS } from '../http/cache-headers.ts';
import { etagOf } from '../http/etag.ts';
import type { Format } from '../http/negotiate.ts';
import { readConsistency } from '../http/query-options.ts';
import { heldVersion } from '../read/conditional.ts';
import type { CatchUp } from '../wait/catch-up.ts';
import type { ChangeFeed } from '../wait/change-feed.ts';
import type { NamedChange } from '../wait/change-window.ts';

/** One read that found something, and how its answer may have changed. */
interface Read {
  readonly version: Version;
  readonly format: Format;
  /** Whether a change may have changed what this read shows. */
  readonly concerns: (change: NamedChange) => boolean;
}

/**
 * The answer to a client that has the present one already, by its `If-None-Match`; null when it has not, or when it is
 * not known what changed since.
 */
export function findUnchanged(http: ApiRequest, feed: ChangeFeed, read: Read): Answer | null {
  const { version, format } = read;
  const held = heldVersion(http, format);
  if (held === null) return null;
  const isUnchanged = held === 'any' || isUnchangedSince(held, feed, read);
  return isUnchanged
    ? notModifiedAnswer({ etag: etagOf(version, format), version, headers: CACHE_HEADERS })
    : null;
}

function isUnchangedSince(since: Version, feed: ChangeFeed, { version, concerns }: Read): boolean {
  if (since === version) return true;
  // What is applied may be ahead of the changes that were delivered.
  if (since > version || version > feed.deliveredVersion || !feed.covers(since)) return false;
  return !feed.someChangeAfter(since, concerns);
}

/**
 * Lets this node reach what the client has seen elsewhere of what it asks for, for a bounded time. A read that is
 * linearizable sees that anyway.
 */
export async function catchUpWithTags(
  http: ApiRequest,
  options: { readonly query: URLSearchParams | null; readonly format: Format },
  catchUp: CatchUp,
): Promise<void> {
  const consistency = readConsistency(options.query, 'linearizable');
  const held = heldVersion(http, options.format);
  if (consistency.type === 'problem' || consistency.value === 'linearizable') return;
  if (held === null || held === 'any') return;
  await catchUp.reaches(held, {
    address: http.peerAddress ?? '',
    onGone: (listener) => http.onGone(listener),
  });
}
