import { type Version, version } from '@metad/kv-store';
import type { ApiRequest } from '../http/api-request.ts';
import { badRequest, type Checked, ok, type Problem, refuse, unavailable } from '../http/problem.ts';
import type { CatchUp } from '../wait/catch-up.ts';

/** A version that the request names, 0 (before the first change) included; null when it names none. */
export function readVersionOption(query: URLSearchParams | null, name: string): Checked<Version | null> {
  const text = query?.get(name) ?? '';
  if (text === '') return ok(null);
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) return refuse(badRequest(`${name} is a version: a whole number`));
  return ok(version(value));
}

/** Waits for a version that this node has yet to reach, for a bounded time; what went wrong, or null. */
export async function reachVersion(
  wanted: Version,
  http: ApiRequest,
  catchUp: CatchUp,
): Promise<Problem | null> {
  const outcome = await catchUp.reaches(wanted, {
    address: http.peerAddress ?? '',
    onGone: (listener) => http.onGone(listener),
  });
  return outcome === 'reached' ? null : unavailable(`this node has not reached version ${wanted} yet`);
}
