import type { Version } from './version.ts';

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
 * One change of what clients read. Everything in it is canonical and checked before it is proposed, so that applying it
 * needs no decision that could differ between nodes, and cannot fail.
 */
export type ContentCommand =
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
  | { readonly type: 'deleteRules'; readonly hosts: readonly string[] };

/** What must hold right before a write is applied, else nothing of it is. */
export type Precondition =
  /**
   * The path is there (see `present`), and nothing at or below it changed after that version. Fails, too, where that
   * is no longer known, and for a version that is yet to come: whoever gets that reads again.
   */
  | {
      readonly type: 'unchangedSince';
      readonly tree: TreeName;
      readonly path: string;
      readonly version: Version;
    }
  /** There is no value at or below the path. So of an empty tree's root, too: there is nothing that a write could hit. */
  | { readonly type: 'absent'; readonly tree: TreeName; readonly path: string }
  /** There is some value at or below the path, or it is the root: reads find that in an empty tree, too. */
  | { readonly type: 'present'; readonly tree: TreeName; readonly path: string }
  /** That is the path's own value, shown or hidden. */
  | { readonly type: 'equals'; readonly tree: TreeName; readonly path: string; readonly value: string };

/** One request of a client: applied whole, as one version, or not at all. */
export interface WriteCommand {
  readonly type: 'write';
  /** Milliseconds since 1970; 0 until the leader stamps it (`stampTime`), right before it proposes. */
  readonly time: number;
  /** Who asked for it: the client's address, or `name (address)`; empty when unknown. */
  readonly author: string;
  /** A request with a key is applied once, however often it is sent; empty: none. */
  readonly idempotencyKey: string;
  readonly preconditions: readonly Precondition[];
  /** Applied in this order. */
  readonly operations: readonly ContentCommand[];
}

/** Lets the nodes use what a level brings. Only a leader whose members all know it proposes that. */
export interface FeatureLevelCommand {
  readonly type: 'setFeatureLevel';
  /** At or below the present level it changes nothing. */
  readonly level: number;
}

/** What the log replicates. A bare ContentCommand stands only in what a 0.1 has written; it leaves no history. */
export type Command = WriteCommand | ContentCommand | FeatureLevelCommand;

/** Bounds of `WriteCommand.author`, in bytes of UTF-8, and of its key, which is visible ASCII. */
export const MAX_AUTHOR_BYTES = 256;
export const MAX_KEY_BYTES = 255;

/** A write that the leader has yet to stamp. */
export function writeOf(
  operations: readonly ContentCommand[],
  conditions: Partial<Pick<WriteCommand, 'author' | 'idempotencyKey' | 'preconditions'>> = {},
): WriteCommand {
  return {
    type: 'write',
    time: 0,
    author: '',
    idempotencyKey: '',
    preconditions: [],
    ...conditions,
    operations,
  };
}

/** What became of an entry. */
export type WriteResult =
  /** The version right after it, whether or not it changed anything. So for what is no write, too. */
  | { readonly type: 'applied'; readonly version: Version }
  /** It was applied before, under the same key: the version that it got then. */
  | { readonly type: 'repeated'; readonly version: Version }
  /** Nothing was done, at this version: `precondition` is the index of the first that does not hold. */
  | { readonly type: 'preconditionFailed'; readonly version: Version; readonly precondition: number }
  /** Nothing was done, at this version: another request had that key. */
  | { readonly type: 'keyReused'; readonly version: Version };
