import { canonicalPath, isAtOrBelow, type Leaf, ROOT } from '@metad/kv-store';

/** One key of a client's mapping. */
export interface MappedKey {
  /** Below the client's root: `/node`, or `/peers/first` for a key in a group. */
  readonly key: string;
  /** A canonical path of the data tree. */
  readonly target: string;
}

/** The mapping of one client; it holds at least one key. */
export type Mapping = readonly MappedKey[];

/** Reads a mapping from the leaves of its host; null when there are none. */
export function readMapping(hostPath: string, leaves: readonly Leaf[]): Mapping | null {
  const keys: MappedKey[] = [];
  for (const [path, target] of leaves) {
    // A host itself is never a leaf: what is written is checked. A value there would name no key.
    if (path !== hostPath) keys.push({ key: path.slice(hostPath.length), target: canonicalPath(target) });
  }
  return keys.length > 0 ? keys : null;
}

/** What a path below `/self` means: at or below one key, or a group (the whole mapping is one, too). */
export type MappedPlace =
  | { readonly type: 'key'; readonly path: string }
  | { readonly type: 'group'; readonly keys: readonly MappedKey[] }
  | { readonly type: 'unmapped' };

/** `below` is canonical and relative to `/self`. */
export function findMapped(mapping: Mapping | null, below: string): MappedPlace {
  if (mapping === null) return { type: 'unmapped' };
  const keys: MappedKey[] = [];
  for (const { key, target } of mapping) {
    if (isAtOrBelow(below, key)) return { type: 'key', path: continuePath(target, below.slice(key.length)) };
    if (isAtOrBelow(key, below)) {
      keys.push({ key: below === ROOT ? key : key.slice(below.length), target });
    }
  }
  return keys.length > 0 ? { type: 'group', keys } : { type: 'unmapped' };
}

function continuePath(target: string, rest: string): string {
  if (rest === '') return target;
  return target === ROOT ? rest : target + rest;
}
