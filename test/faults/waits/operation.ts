import type { Request } from '../../e2e/http.ts';
import type { Node } from '../../e2e/node-set.ts';

/** Names below a place, with slashes between them, and their values. The name '' is the place itself. */
export type Leaves = Readonly<Record<string, string>>;

export interface Rule {
  readonly path: string;
  readonly mode: 0 | 1;
}

/** One write, as whoever sends it means it. A path of the mapping begins with the client's address. */
export type Operation =
  | {
      readonly type: 'merge' | 'replace';
      readonly tree: 'data' | 'mapping';
      readonly path: string;
      readonly leaves: Leaves;
    }
  | { readonly type: 'delete'; readonly tree: 'data' | 'mapping'; readonly path: string }
  | { readonly type: 'putKey'; readonly path: string; readonly value: string }
  | { readonly type: 'deleteKey'; readonly path: string }
  | { readonly type: 'setRules'; readonly rules: Readonly<Record<string, readonly Rule[]>> }
  | { readonly type: 'deleteRules'; readonly hosts: readonly string[] };

/** How it is asked for, through the manage API or the KV API of a node. */
export function requestOf(operation: Operation, { ports }: Node): Request {
  const manage = { port: ports.manage, headers: { Accept: 'application/json' } };
  switch (operation.type) {
    case 'merge':
    case 'replace': {
      const { type, tree, path, leaves } = operation;
      const method = type === 'merge' ? 'PUT' : 'POST';
      return { ...manage, method, path: `/v1/${tree}${path}`, body: JSON.stringify(documentOf(leaves)) };
    }
    case 'delete':
      return { ...manage, method: 'DELETE', path: `/v1/${operation.tree}${operation.path}` };
    case 'setRules':
      return { ...manage, method: 'PUT', path: '/v1/rule', body: JSON.stringify(operation.rules) };
    case 'deleteRules':
      return { ...manage, method: 'DELETE', path: `/v1/rule?hosts=${operation.hosts.join(',')}` };
    case 'putKey':
      return kvWrite(ports.cluster, { Put: { key: operation.path, value: operation.value } });
    case 'deleteKey':
      return kvWrite(ports.cluster, { Del: { key: operation.path } });
  }
}

function kvWrite(port: number, write: unknown): Request {
  const headers = { 'Content-Type': 'application/json' };
  return { port, method: 'POST', path: '/write', headers, body: JSON.stringify(write) };
}

interface Tree {
  [name: string]: Tree | string;
}

/** The tree that leaves make; a string when there is but one, the place itself. */
export function documentOf(leaves: Leaves): Tree | string {
  const own = leaves[''];
  if (own !== undefined) return own;
  const root: Tree = {};
  for (const [path, value] of Object.entries(leaves)) {
    const names = path.split('/');
    const last = names.pop() ?? '';
    let place = root;
    for (const name of names) {
      const next = place[name];
      const below: Tree = typeof next === 'object' ? next : {};
      place[name] = below;
      place = below;
    }
    place[last] = value;
  }
  return root;
}
