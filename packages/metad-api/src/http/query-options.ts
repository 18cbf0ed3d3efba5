import { type Version, version } from '@metad/kv-store';
import { badRequest, type Checked, ok, refuse } from './problem.ts';

export type Consistency = 'local' | 'linearizable';

/** `pretty` with any value but the empty one and `false`. */
export function isPretty(query: URLSearchParams | null): boolean {
  const value = query?.get('pretty') ?? '';
  return value !== '' && value !== 'false';
}

/** `wait=true` in any case; every other value means no wait. */
export function isWait(query: URLSearchParams): boolean {
  return query.get('wait')?.toLowerCase() === 'true';
}

export function readConsistency(query: URLSearchParams | null, standard: Consistency): Checked<Consistency> {
  const value = query?.get('consistency') ?? standard;
  if (value === 'local' || value === 'linearizable') return ok(value);
  return refuse(badRequest('consistency is either "local" or "linearizable"'));
}

/** Of a metadata request, whose consistency was found to be one. */
export function isLinearizable(query: URLSearchParams): boolean {
  return query.get('consistency') === 'linearizable';
}

/** Whether the request says how new the answer has to be: more than that this node may be read. */
export function asksForFreshness(query: URLSearchParams): boolean {
  return query.has('consistency') || query.has('max_lag');
}

/** The version that the client has seen; what is no positive integer counts as none. */
export function readPreviousVersion(query: URLSearchParams): Version | null {
  return readVersion(query.get('prev_version') ?? query.get('pre_version'));
}

/** The version that the answer must have at least: `min_version=` or the header of an earlier answer. */
export function readMinVersion(
  query: URLSearchParams | null,
  header: string | undefined,
): Checked<Version | null> {
  const text = query?.get('min_version') ?? null;
  const asked = readVersion(text);
  if (text !== null && asked === null && !/^0*$/.test(text)) {
    return refuse(badRequest('min_version is a version: a positive integer'));
  }
  const seen = readVersion(header ?? null);
  if (asked === null || seen === null) return ok(asked ?? seen);
  return ok(version(Math.max(asked, seen)));
}

export function readTimeoutMs(
  query: URLSearchParams,
  settings: { readonly waitTimeoutSeconds: number; readonly maxWaitTimeoutSeconds: number },
): Checked<number> {
  const seconds = readSeconds(query, 'timeout');
  if (seconds.type === 'problem') return seconds;
  return ok(Math.min(seconds.value ?? settings.waitTimeoutSeconds, settings.maxWaitTimeoutSeconds) * 1000);
}

/** The longest time over which the answers to one change are spread. */
export const MAX_JITTER_SECONDS = 60;

/** Over how long the answer to a change may be delayed, by chance. */
export function readJitterMs(
  query: URLSearchParams | null,
  settings: { readonly waitJitterSeconds: number },
): Checked<number> {
  const seconds = readSeconds(query, 'jitter');
  if (seconds.type === 'problem') return seconds;
  return ok(Math.min(seconds.value ?? settings.waitJitterSeconds, MAX_JITTER_SECONDS) * 1000);
}

/** How old what is shown may be; null when the request does not say. */
export function readMaxLagMs(query: URLSearchParams | null): Checked<number | null> {
  const seconds = readSeconds(query, 'max_lag');
  if (seconds.type === 'problem') return seconds;
  return ok(seconds.value === null ? null : seconds.value * 1000);
}

/** The last event that the client of a stream has seen: a browser that comes back says so in the header. */
export function readLastEventId(query: URLSearchParams | null, header: string | undefined): Version | null {
  return readVersion(header ?? query?.get('last_event_id') ?? null);
}

/** Null when `name` is absent or empty. */
function readSeconds(query: URLSearchParams | null, name: string): Checked<number | null> {
  const text = query?.get(name) ?? '';
  if (text === '') return ok(null);
  if (!/^\d+(?:\.\d+)?$/.test(text)) return refuse(badRequest(`${name} is a number of seconds`));
  return ok(Number(text));
}

function readVersion(text: string | null): Version | null {
  if (text === null || !/^\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return value > 0 && Number.isSafeInteger(value) ? version(value) : null;
}
