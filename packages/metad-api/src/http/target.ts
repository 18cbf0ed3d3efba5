import { canonicalPath } from '@metad/kv-store';
import { describePathExcess, findPathExcess, type PathLimits } from './path-limits.ts';
import { badRequest, type Checked, ok, type Problem, refuse } from './problem.ts';

/** A request target, taken apart. */
export interface Target {
  /** Decoded and canonical. */
  readonly path: string;
  /** Null when there is no query, as with most requests. */
  readonly query: URLSearchParams | null;
}

/** Names without escapes, and none that starts with a dot: already decoded and canonical. */
const PLAIN_PATH = /^(?:\/[\w~!$&'()*+,;=:@-][\w~!$&'()*+,;=:@.-]*)+$/;

/** Reads a target whose path is one of the data. */
export function parseTarget(target: string, limits: PathLimits): Checked<Target> {
  const split = splitTarget(target);
  if (split.type === 'problem') return split;
  const excess = findPathProblem(split.value.path, limits);
  return excess === null ? split : refuse(excess);
}

/**
 * Reads the target as it stood on the request line. `%2F` separates like a slash, `+` is a plus sign; dot segments and
 * surplus slashes are resolved after decoding. Whoever knows what part of the path is one of the data checks its limits.
 */
export function splitTarget(target: string): Checked<Target> {
  const origin = originForm(target);
  const mark = origin.indexOf('?');
  const rawPath = mark < 0 ? origin : origin.slice(0, mark);
  const path = PLAIN_PATH.test(rawPath) ? rawPath : decodePath(rawPath);
  if (path === null) return refuse(badRequest('the path holds a broken percent sequence'));
  return ok({ path, query: mark < 0 ? null : new URLSearchParams(origin.slice(mark + 1)) });
}

/** What is wrong with the path of a request; null: it is within its limits. */
export function findPathProblem(path: string, limits: PathLimits): Problem | null {
  const excess = findPathExcess(path, limits);
  if (excess === null) return null;
  return { status: excess === 'tooLong' ? 414 : 400, message: describePathExcess(excess, limits) };
}

/** Turns `http://host/path` into `/path`. */
function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const absolute = /^[a-z][a-z\d+.-]*:\/\/[^/?]*(.*)$/is.exec(target);
  const rest = absolute?.[1] ?? target;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Null when an escape is broken or its bytes are no UTF-8: nothing can be stored under such a name. */
function decodePath(rawPath: string): string | null {
  try {
    return canonicalPath(decodeURIComponent(rawPath));
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}
