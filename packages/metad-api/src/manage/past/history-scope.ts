import { type HistoryChange, isAtOrBelow, ROOT, segmentsOf } from '@metad/kv-store';
import { canonicalAddress } from '../../http/ip-address.ts';
import { badRequest, type Checked, ok, refuse } from '../../http/problem.ts';
import type { TreeKinds } from '../tree-kind.ts';

/** Which changes are asked for. */
export interface HistoryScope {
  covers(change: HistoryChange): boolean;
}

const EVERYTHING: HistoryScope = { covers: () => true };

/**
 * Reads `tree=data|mapping|rule` with a canonical path in it; of the rules that is `/ADDRESS`. Without `tree` a path is
 * one of the data, and the root means all there is.
 */
export function readScope(tree: string | null, path: string, kinds: TreeKinds): Checked<HistoryScope> {
  switch (tree ?? '') {
    case '':
      return ok(path === ROOT ? EVERYTHING : treeScope('data', path));
    case 'data':
      return ok(treeScope('data', path));
    case 'mapping': {
      const stored = kinds.mapping.locate(path);
      return stored === null
        ? refuse(badRequest(`${path} names no ip address`))
        : ok(treeScope('mapping', stored));
    }
    case 'rule':
      return readRuleScope(path);
    default:
      return refuse(badRequest('tree is "data", "mapping" or "rule"'));
  }
}

function treeScope(kind: HistoryChange['kind'], path: string): HistoryScope {
  return { covers: (change) => change.kind === kind && isAtOrBelow(change.path, path) };
}

function readRuleScope(path: string): Checked<HistoryScope> {
  if (path === ROOT) return ok({ covers: ({ kind }) => kind === 'rules' });
  const [name = '', ...rest] = segmentsOf(path);
  const host = rest.length === 0 ? canonicalAddress(name) : null;
  if (host === null) return refuse(badRequest(`${path} names no ip address`));
  return ok({ covers: (change) => change.kind === 'rules' && change.path === host });
}
