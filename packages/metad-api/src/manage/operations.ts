import { type ContentCommand, joinPath } from '@metad/kv-store';
import { canonicalAddress } from '../http/ip-address.ts';
import type { PathLimits } from '../http/path-limits.ts';
import { badRequest, type Checked, ok, refuse } from '../http/problem.ts';
import type { JsonValue } from './json-body.ts';
import { readRuleSets } from './rules.ts';
import type { TreeKind } from './tree-kind.ts';

/** `merge` is PUT; `replace`, POST, deletes the place first. */
export function writeTree(
  kind: TreeKind,
  how: 'merge' | 'replace',
  written: { readonly path: string; readonly document: JsonValue },
): Checked<ContentCommand> {
  const { tree } = kind;
  const found = kind.leavesOf(written.path, written.document);
  if (found.type === 'problem') return found;
  const { path, leaves } = found.value;
  return ok(how === 'merge' ? { type: how, tree, leaves } : { type: how, tree, path, leaves });
}

/** With `names` only these children; one that there is not changes nothing. */
export function deleteFromTree(
  kind: TreeKind,
  deleted: { readonly path: string; readonly names: readonly string[] | null },
): Checked<ContentCommand> {
  const { path, names } = deleted;
  if (names?.some((name) => name.includes('/'))) {
    return refuse(badRequest('subs holds names of children and no path'));
  }
  const stored = kind.locate(path);
  const paths = stored === null ? [] : names === null ? [stored] : childrenOf(kind, stored, names);
  return ok({ type: 'delete', tree: kind.tree, paths });
}

function childrenOf(kind: TreeKind, parent: string, names: readonly string[]): string[] {
  const paths = new Set<string>();
  for (const name of names) {
    const child = kind.childName(parent, name);
    if (child !== null && child !== '.' && child !== '..') paths.add(joinPath(parent, `/${child}`));
  }
  return [...paths];
}

/** Sets the whole list of each host in the document. */
export function setRules(document: JsonValue, limits: PathLimits): Checked<ContentCommand> {
  const rules = readRuleSets(document, limits);
  return rules.type === 'problem' ? rules : ok({ type: 'setRules', rules: rules.value });
}

/** What is no address has no rules: it is passed over. */
export function deleteRules(names: readonly string[]): ContentCommand {
  const hosts = new Set<string>();
  for (const name of names) {
    const host = canonicalAddress(name.trim());
    if (host !== null) hosts.add(host);
  }
  return { type: 'deleteRules', hosts: [...hosts] };
}
