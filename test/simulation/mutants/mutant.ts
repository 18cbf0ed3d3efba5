/**
 * A known bug of Raft implementations, as a patch of the compiled core. Nothing of it is in the product: the patch is
 * applied to a copy (`mutated-core.ts`), and the simulator, run on that copy, has to notice.
 */
export interface Mutant {
  /** How it is switched on, in kebab-case. */
  readonly name: string;
  /** What it costs in the end: a promise that is broken, or a cluster that stands still. */
  readonly harms: 'safety' | 'liveness';
  /** What somebody once wrote, and what comes of it. */
  readonly story: string;
  /** The rule that it breaks, by its section. */
  readonly breaks: string;
  /** Where it was found. */
  readonly seen: string;
  /** What should notice it first: an assertion of the core, a check of one node, or of the cluster's history. */
  readonly noticedBy: string;
  /** The file to patch, within packages/raft-core/dist. */
  readonly file: string;
  readonly edits: readonly Edit[];
}

export interface Edit {
  /** Exact text that occurs once in the file: a plain expression, equal in the source and in what is compiled. */
  readonly from: string;
  readonly to: string;
}
