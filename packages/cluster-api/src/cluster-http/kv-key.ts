import type { NodeLimits } from '../config/node-config.ts';

export type KvKey =
  | { readonly type: 'path'; readonly path: string }
  | { readonly type: 'refused'; readonly reason: string };

/** Reads a key of the KV API as the path that it is: `nodes/1/ip` and `/nodes/1/ip` are one and the same. */
export function parseKvKey(key: string, limits: Pick<NodeLimits, 'maxPathBytes' | 'maxPathDepth'>): KvKey {
  const path = key.startsWith('/') ? key : `/${key}`;
  const segments = path.slice(1).split('/');
  if (path === '/') return refused('the key is empty');
  if (!key.isWellFormed()) return refused('the key is not well-formed Unicode');
  if (segments.includes('')) return refused('the key has an empty segment');
  if (segments.some((segment) => segment === '.' || segment === '..'))
    return refused('the key has a dot segment');
  if (segments.length > limits.maxPathDepth)
    return refused(`the key is deeper than ${limits.maxPathDepth} segments`);
  if (Buffer.byteLength(path) > limits.maxPathBytes)
    return refused(`the key is longer than ${limits.maxPathBytes} bytes`);
  return { type: 'path', path };
}

/** The key as the KV API shows it: without its leading slash. */
export function kvKeyOf(path: string): string {
  return path.slice(1);
}

function refused(reason: string): KvKey {
  return { type: 'refused', reason };
}
