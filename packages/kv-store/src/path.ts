/** The canonical root. */
export const ROOT = '/';

/**
 * Brings a decoded path into the form in which it is stored: a leading slash, no empty and no `.` segments, `..`
 * resolved (never above the root), no trailing slash.
 */
export function canonicalPath(path: string): string {
  if (isPlain(path)) return path;
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}`;
}

/** Whether `path` is what `canonicalPath` makes of it. */
export function isCanonicalPath(path: string): boolean {
  return isPlain(path) || canonicalPath(path) === path;
}

/** Nearly all paths are; what needs a closer look is the root, or a name that begins with a dot. */
function isPlain(path: string): boolean {
  return path.startsWith('/') && !path.endsWith('/') && !path.includes('//') && !path.includes('/.');
}

/** The names from the root down; none for the root itself. */
export function segmentsOf(path: string): string[] {
  return path === ROOT ? [] : path.slice(1).split('/');
}

/** Joins two canonical paths: `/a` and `/b/c` make `/a/b/c`. */
export function joinPath(parent: string, below: string): string {
  if (parent === ROOT) return below;
  return below === ROOT ? parent : parent + below;
}

/** The path one level up; null for the root. */
export function parentOf(path: string): string | null {
  if (path === ROOT) return null;
  const slash = path.lastIndexOf('/');
  return slash === 0 ? ROOT : path.slice(0, slash);
}

/** Whether `path` is `ancestor` or lies below it. */
export function isAtOrBelow(path: string, ancestor: string): boolean {
  return (
    ancestor === ROOT || path === ancestor || (path.startsWith(ancestor) && path[ancestor.length] === '/')
  );
}

/**
 * The range of stored paths strictly below `path`, in byte order: `from` inclusive, `to` exclusive. `0` is the
 * character after `/`, so no path below is left out and none beside it is let in.
 */
export function rangeBelow(path: string): { readonly from: string; readonly to: string } {
  return path === ROOT ? { from: '/', to: '0' } : { from: `${path}/`, to: `${path}0` };
}
