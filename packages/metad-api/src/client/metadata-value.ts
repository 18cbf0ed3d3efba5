/** What stands at a path: a value, or the children of a node by name. */
export type MetadataValue = string | MetadataTree;

export interface MetadataTree {
  readonly [name: string]: MetadataValue;
}

/** What a path showed at a version. That nothing is there, or nothing that this client may see, is a state as well. */
export type MetadataState =
  | { readonly found: true; readonly value: MetadataValue; readonly version: number }
  | { readonly found: false; readonly version: number };

/** Deeper than any path that a node takes. */
const MAX_DEPTH = 1000;

/** Whether a document is what metad makes of a tree: strings, and objects of such. */
export function isMetadataValue(document: unknown): document is MetadataValue {
  return isTree(document, 0);
}

function isTree(document: unknown, depth: number): boolean {
  if (typeof document === 'string') return true;
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return false;
  return depth < MAX_DEPTH && Object.values(document).every((member) => isTree(member, depth + 1));
}
