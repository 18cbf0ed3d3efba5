import { isBelow, type ModelState, type Values } from './model-state.ts';
import type { Rule } from './operation.ts';

// What a client of the metadata API sees, worked out as plainly as the contract says it: no index, nothing kept from one
// version to the next, and nothing in common with the code that is tested.

/** What a client is answered where nothing shows. */
export const MISSING = 'missing';

interface Tree {
  [name: string]: Tree | string;
}

/** As a client with that address sees it at a path: JSON with sorted names, or MISSING. */
export function see(state: ModelState, host: string, path: string): string {
  const client = clientOf(state, host);
  const found = isAtOrBelow(path, '/self')
    ? findSelf(client, path.slice('/self'.length))
    : find(client, path);
  return found === null ? MISSING : sorted(found);
}

/** The whole of a tree, as the manage API shows it. */
export function seeAll(values: Values): string {
  return sorted(treeOf('/', shown(values)) ?? {});
}

/** A document with its names in order, so that two can be compared. */
export function sorted(document: unknown): string {
  return JSON.stringify(document, (_, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

interface Client {
  readonly rules: readonly Rule[] | null;
  /** Key (`/node`, `/peers/first`) to target. */
  readonly mapping: Values;
  /** What it may read of the data. */
  readonly leaves: Values;
}

function clientOf(state: ModelState, host: string): Client {
  const rules = state.rules.get(host) ?? null;
  const mapping = new Map(
    [...state.mapping]
      .filter(([path]) => isBelow(path, `/${host}`))
      .map(([path, target]) => [path.slice(host.length + 1), target]),
  );
  const access = rules ?? [...mapping.values()].map((path): Rule => ({ path, mode: 1 }));
  const leaves = new Map([...shown(state.data)].filter(([path]) => mayRead(access, path)));
  return { rules, mapping, leaves };
}

function find(client: Client, path: string): Tree | string | null {
  if (path !== '/') return treeOf(path, client.leaves);
  if (client.rules === null && client.mapping.size === 0) return null;
  const root = treeOf('/', client.leaves);
  const self = findSelf(client, '');
  return { ...(typeof root === 'object' ? root : {}), ...(self === null ? {} : { self }) };
}

/** At `/self` + `below`: through one key, or all keys below. */
function findSelf(client: Client, below: string): Tree | string | null {
  const group: Tree = {};
  for (const [key, target] of client.mapping) {
    if (isAtOrBelow(below, key)) return treeOf(target + below.slice(key.length), client.leaves);
    if (!isBelow(key, below)) continue;
    const names = key.slice(below.length + 1).split('/');
    const found = treeOf(target, client.leaves);
    // The groups on the way show even when the key does not.
    put(group, found === null ? names.slice(0, -1) : names, found ?? {});
  }
  const isMapped = [...client.mapping.keys()].some((key) => isBelow(key, below));
  return isMapped ? group : null;
}

/** What is at a path: the leaf, the tree of the leaves below, or null. */
function treeOf(path: string, leaves: Values): Tree | string | null {
  const own = leaves.get(path);
  if (own !== undefined) return own;
  const below = [...leaves].filter(([leaf]) => isBelow(leaf, path));
  if (below.length === 0) return null;
  const tree: Tree = {};
  for (const [leaf, value] of below)
    put(tree, leaf.slice(path === '/' ? 1 : path.length + 1).split('/'), value);
  return tree;
}

function put(tree: Tree, names: readonly string[], value: Tree | string): void {
  let place = tree;
  for (const [depth, name] of names.entries()) {
    const existing = place[name];
    const isLast = depth === names.length - 1;
    const next = isLast ? value : typeof existing === 'object' ? existing : {};
    if (isLast && typeof existing === 'object' && typeof value === 'object') return;
    place[name] = next;
    if (typeof next === 'object') place = next;
  }
}

/** Of values that many clients look at. */
const shownOf = new WeakMap<Values, Values>();

/** A value is hidden while there are others below it. */
function shown(values: Values): Values {
  const known = shownOf.get(values);
  if (known !== undefined) return known;
  const paths = [...values.keys()];
  const leaves = new Map([...values].filter(([path]) => !paths.some((other) => isBelow(other, path))));
  shownOf.set(values, leaves);
  return leaves;
}

function isAtOrBelow(path: string, place: string): boolean {
  return path === place || isBelow(path, place);
}

function namesOf(path: string): readonly string[] {
  return path.split('/').filter((name) => name !== '');
}

/** Of all rules that match a path or one of its parents, the one that no other beats decides. */
function mayRead(rules: readonly Rule[], path: string): boolean {
  const names = namesOf(path);
  let best: { readonly names: readonly string[]; readonly mode: 0 | 1 } | null = null;
  for (const rule of rules) {
    const pattern = namesOf(rule.path);
    const isMatch =
      pattern.length <= names.length && pattern.every((name, level) => name === '*' || name === names[level]);
    if (isMatch && (best === null || beats(pattern, best.names))) best = { names: pattern, mode: rule.mode };
  }
  return best?.mode === 1;
}

function beats(one: readonly string[], other: readonly string[]): boolean {
  for (let level = 0; level < Math.min(one.length, other.length); level += 1) {
    if (one[level] !== other[level]) return other[level] === '*';
  }
  return one.length > other.length;
}
