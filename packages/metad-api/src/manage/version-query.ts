import { type Version, version } from '@metad/kv-store';
import { badRequest, type Checked, ok, type Problem, refuse } from '../http/problem.ts';
import { readConsistency } from '../http/query-options.ts';
import type { Freshness } from '../read/freshness.ts';
import type { ManageRequest } from './manage-request.ts';

/** A version that the request names, 0 (before the first change) included; null when it names none. */
export function readVersionOption(query: URLSearchParams | null, name: string): Checked<Version | null> {
  const text = query?.get(name) ?? '';
  if (text === '') return ok(null);
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) return refuse(badRequest(`${name} is a version: a whole number`));
  return ok(version(value));
}

/** Waits for a version that the request names, once `Freshness.ensure` has passed; what went wrong, or null. */
export async function reachVersion(
  version: Version,
  { http, query }: Pick<ManageRequest, 'http' | 'query'>,
  freshness: Freshness,
): Promise<Problem | null> {
  const consistency = readConsistency(query, 'linearizable');
  if (consistency.type === 'problem') return consistency.problem;
  return freshness.ensureVersion(version, http, consistency.value);
}
