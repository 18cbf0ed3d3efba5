/** A replicated tree of string leaves: the metadata itself, or the mapping (`/IP/name… → path`). */
export type TreeName = 'data' | 'mapping';

/** An absolute canonical path and its value. */
export type Leaf = readonly [path: string, value: string];

/** 0 forbids, 1 allows reading. */
export type AccessMode = 0 | 1;

export interface AccessRule {
  /** Canonical; a segment `*` stands for exactly one name. */
  readonly path: string;
  readonly mode: AccessMode;
}

/**
 * What the log replicates: one request, applied whole or not at all. Everything in it is canonical and checked before
 * it is proposed, so that applying it needs no decision that could differ between nodes.
 */
export type Command =
  /** Sets each leaf and leaves the rest alone (PUT; KV `Put` is a merge of one leaf). */
  | { readonly type: 'merge'; readonly tree: TreeName; readonly leaves: readonly Leaf[] }
  /** Removes `path` with its own value and everything below, then sets the leaves (POST). */
  | {
      readonly type: 'replace';
      readonly tree: TreeName;
      readonly path: string;
      readonly leaves: readonly Leaf[];
    }
  /** Removes each path with its own value and everything below (DELETE; `subs` gives several). */
  | { readonly type: 'delete'; readonly tree: TreeName; readonly paths: readonly string[] }
  /** Removes the own value of one path and nothing below it (KV `Del`). */
  | { readonly type: 'deleteValue'; readonly tree: TreeName; readonly path: string }
  /** Sets the whole list of each host and leaves other hosts alone. */
  | {
      readonly type: 'setRules';
      readonly rules: readonly (readonly [host: string, rules: readonly AccessRule[]])[];
    }
  | { readonly type: 'deleteRules'; readonly hosts: readonly string[] }
  | FeatureLevelCommand;

/** Lets the nodes use what a level brings. Only a leader whose members all know it proposes that. */
export interface FeatureLevelCommand {
  readonly type: 'setFeatureLevel';
  /** At or below the present level it changes nothing. */
  readonly level: number;
}

/** A command on what clients read: it may change the version. */
export type ContentCommand = Exclude<Command, FeatureLevelCommand>;
