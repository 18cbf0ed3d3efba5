import type { LogId } from '@metad/raft-core';
import type { Version } from './version.ts';

/**
 * What one command changed for those who read. Carries names, never values: who is woken by it reads again.
 * A write of what is already there is no change and gets no version.
 */
export type Change =
  | ({ readonly type: 'data'; readonly version: Version } & ChangedLeaves)
  /** The addresses whose mapping changed. */
  | { readonly type: 'mapping'; readonly version: Version; readonly hosts: readonly string[] }
  /** The addresses whose rules changed. */
  | { readonly type: 'rules'; readonly version: Version; readonly hosts: readonly string[] }
  /** The whole state was replaced by a snapshot: nothing is known of what changed since. */
  | { readonly type: 'reset'; readonly version: Version };

/**
 * Leaves that show, no longer show, or show another value, each once: those that were named, and those above them that
 * their names hide, or no longer hide. Hidden values are left out.
 */
export interface ChangedLeaves {
  /** Those that did not show before come first. */
  readonly paths: readonly string[];
  /** How many of `paths` they are. */
  readonly appeared: number;
}

/** What one applied batch tells the readers of the same node, in log order. */
export interface AppliedBatch {
  readonly applied: LogId;
  readonly version: Version;
  readonly changes: readonly Change[];
  /** Where the state is from now on, when a snapshot was installed: every StateDatabase has to be opened there again. */
  readonly stateFile?: string;
}
