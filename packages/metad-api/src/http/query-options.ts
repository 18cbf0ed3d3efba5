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
  const text = query.get('timeout') ?? '';
  if (text === '') return ok(settings.waitTimeoutSeconds * 1000);
  if (!/^\d+(?:\.\d+)?$/.test(text)) return refuse(badRequest('timeout is a number of seconds'));
  return ok(Math.min(Number(text), settings.maxWaitTimeoutSeconds) * 1000);
}

function readVersion(text: string | null): Version | null {
  if (text === null || !/^\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return value > 0 && Number.isSafeInteger(value) ? version(value) : null;
}
