import { badRequest, type Checked, ok, refuse } from '../http/problem.ts';

/** `limit=COUNT`, cut to what a page may hold; null when it is not there. */
export function readLimit(
  query: URLSearchParams | null,
  { max }: { readonly max: number },
): Checked<number | null> {
  const text = query?.get('limit') ?? '';
  if (text === '') return ok(null);
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0) {
    return refuse(badRequest('limit is a number of entries, at least 1'));
  }
  return ok(Math.min(Number(text), max));
}
