import { type Precondition, type Version, version } from '@metad/kv-store';
import { unreachable } from '@metad/raft-core';
import type { ApiRequest } from '../http/api-request.ts';
import { readEtags } from '../http/etag.ts';
import { badRequest, type Checked, ok, type Problem, refuse } from '../http/problem.ts';
import type { TreeKind } from './tree-kind.ts';

/** What `If-Match` and `If-None-Match` ask of the place `path` before it is written. */
export function readConditions(http: ApiRequest, kind: TreeKind, path: string): Checked<Precondition[]> {
  const match = http.header('if-match');
  const noneMatch = http.header('if-none-match');
  if (match === undefined && noneMatch === undefined) return ok([]);
  const stored = kind.locate(path);
  if (stored === null)
    return refuse(badRequest(`${path} is no place for a condition: it names no ip address`));
  const at = { tree: kind.tree, path: stored };
  const conditions: Precondition[] = [];
  if (match !== undefined) {
    const condition = readMatch(match, at);
    if (condition.type === 'problem') return condition;
    conditions.push(condition.value);
  }
  if (noneMatch !== undefined) {
    if (readEtags(noneMatch).type !== 'any') return refuse(badRequest('If-None-Match of a write is "*"'));
    conditions.push({ type: 'absent', ...at });
  }
  return ok(conditions);
}

/** Whoever sends a condition counts on it: where there are none, it is refused. */
export function refuseConditions(http: ApiRequest): Problem | null {
  const hasAny = http.header('if-match') !== undefined || http.header('if-none-match') !== undefined;
  return hasAny
    ? badRequest('If-Match and If-None-Match are for writes of one node of the data or of a mapping')
    : null;
}

function readMatch(header: string, at: Pick<Precondition, 'tree' | 'path'>): Checked<Precondition> {
  const list = readEtags(header);
  if (list.type === 'any') return ok({ type: 'present', ...at });
  const versions = list.type === 'tags' ? list.tags.map((tag) => tag.version) : [];
  if (versions.length === 0) {
    return refuse(badRequest('If-Match is "*", or the ETag of an earlier answer'));
  }
  return ok({ type: 'unchangedSince', ...at, version: version(Math.max(...versions)) });
}

/** Says in words that a condition did not hold at the version `now`. */
export function describeFailure(condition: Precondition, now: Version): string {
  const { tree, path } = condition;
  const place = tree === 'data' ? path : `the mapping ${path}`;
  switch (condition.type) {
    case 'unchangedSince':
      if (condition.version > now)
        return `there is no version ${condition.version} yet: this is version ${now}`;
      return `${place} is not there, was changed after version ${condition.version}, or that is no longer known`;
    case 'absent':
      return `${place} is there`;
    case 'present':
      return `${place} is not there`;
    case 'equals':
      return `${place} has another value`;
    default:
      return unreachable(condition);
  }
}
