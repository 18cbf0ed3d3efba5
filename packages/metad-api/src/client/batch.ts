import type { JsonValue } from './managed-tree.ts';

type In = { readonly path: string; readonly tree?: 'data' | 'mapping' | undefined };

/** What must hold right before a batch; all of it or nothing is done. */
export type BatchCondition =
  /** Something stands at or below the path, and nothing of it was changed after this version. */
  | (In & { readonly version: number })
  | (In & { readonly absent: true })
  | (In & { readonly present: true })
  /** The value at the path itself is this one. */
  | (In & { readonly equals: string });

/** One change of a batch. Targets are those of the manage API: `/v1/data/…`, `/v1/mapping/…` and `/v1/rule`. */
export type BatchOperation =
  /** Merges. */
  | { readonly put: string; readonly value: JsonValue }
  /** Replaces. */
  | { readonly post: string; readonly value: JsonValue }
  | {
      readonly delete: string;
      /** These children only. */
      readonly subs?: readonly string[] | undefined;
      /** Of `/v1/rule`: whose rules. */
      readonly hosts?: readonly string[] | undefined;
    };

/** Changes of data, mappings and rules that are made together, at one version. */
export interface Batch {
  readonly if?: readonly BatchCondition[] | undefined;
  readonly do: readonly BatchOperation[];
}
