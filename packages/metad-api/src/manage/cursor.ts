import { canonicalPath, isAtOrBelow } from '@metad/kv-store';
import { badRequest, type Checked, ok, refuse } from '../http/problem.ts';

/** Where the next page goes on: behind this path. */
export function cursorOf(path: string): string {
  return Buffer.from(path).toString('base64url');
}

/** The path that `cursor=` names, at or below the one that is listed; null when it is not there. */
export function readCursor(query: URLSearchParams | null, path: string): Checked<string | null> {
  const text = query?.get('cursor') ?? '';
  if (text === '') return ok(null);
  const after = Buffer.from(text, 'base64url').toString();
  const isOurs = cursorOf(after) === text && canonicalPath(after) === after && isAtOrBelow(after, path);
  return isOurs ? ok(after) : refuse(badRequest('cursor is none of a page of this path'));
}
