import type { Leaf, TreeName } from '@metad/kv-store';
import type { Checked } from '../http/problem.ts';
import type { JsonValue } from './json-body.ts';

/** What the two trees of the manage API do differently. */
export interface TreeKind {
  readonly tree: TreeName;
  /** Where a path of the API is stored; null where nothing can ever be. */
  locate(path: string): string | null;
  /** The leaves that `document` stands for when it is written to `path`, with the path at which it is stored. */
  leavesOf(path: string, document: JsonValue): Checked<{ readonly path: string; readonly leaves: Leaf[] }>;
  /** The name under which a child of `path` is stored, as `subs` has it; null for one that there can't be. */
  childName(path: string, name: string): string | null;
}

export interface TreeKinds {
  readonly data: TreeKind;
  readonly mapping: TreeKind;
}
