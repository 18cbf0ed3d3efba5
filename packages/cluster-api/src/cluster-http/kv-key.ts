import { describePathExcess, findPathExcess, type PathLimits } from '@metad/metad-api';
import { type JsonRequest, refuse } from './json-request.ts';

/** Reads a key of the KV API as the path that it is: `nodes/1/ip` and `/nodes/1/ip` are one and the same. */
export function parseKvKey(key: string, limits: PathLimits): JsonRequest<string> {
  const path = key.startsWith('/') ? key : `/${key}`;
  if (path === '/') return refuse('the key is empty');
  if (!key.isWellFormed()) return refuse('the key is not well-formed Unicode');
  if (path.includes('//') || path.endsWith('/')) return refuse('the key has an empty segment');
  if (path.includes('/.') && path.split('/').some(isDotSegment)) return refuse('the key has a dot segment');
  const excess = findPathExcess(path, limits);
  if (excess !== null) return refuse(`as a key, ${describePathExcess(excess, limits)}`);
  return { type: 'ok', value: path };
}

/** The key as the KV API shows it: without its leading slash. */
export function kvKeyOf(path: string): string {
  return path.slice(1);
}

function isDotSegment(segment: string): boolean {
  return segment === '.' || segment === '..';
}
