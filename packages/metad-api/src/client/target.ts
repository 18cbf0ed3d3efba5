import { MetadError } from './metad-error.ts';

/** Query parameters; those that are undefined or null are left out. */
export type Query = Readonly<Record<string, string | number | null | undefined>>;

/** The request line's part for a path of the tree below `prefix`. Names may hold anything but a slash. */
export function targetOf(prefix: string, path: string, query: Query = {}): string {
  const names = path.split('/').filter((name) => name !== '');
  if (names.some((name) => name === '.' || name === '..')) {
    throw new MetadError('invalid', `${JSON.stringify(path)} is no path: it has a name that is "." or ".."`);
  }
  const encoded = names.map((name) => `/${encodeURIComponent(name.toWellFormed())}`).join('');
  return `${prefix}${encoded}` === '' ? `/${searchOf(query)}` : `${prefix}${encoded}${searchOf(query)}`;
}

/** A parameter that lists names: none of them may hold what separates them. */
export function nameList(names: readonly string[]): string {
  const split = names.find((name) => name.includes(','));
  if (split === undefined) return names.join(',');
  throw new MetadError('invalid', `${JSON.stringify(split)} cannot stand in a list of names: it has a comma`);
}

function searchOf(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) search.set(name, String(value));
  }
  return search.size === 0 ? '' : `?${search}`;
}
