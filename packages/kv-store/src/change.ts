import type { LogId } from '@metad/raft-core';
import type { Version } from './version.ts';

/**
 * What one command changed for those who read. Carries names, never values: who is woken by it reads again.
 * A write of what is already there is no change and gets no version.
 */
export type Change =
  /** The leaves that show, no longer show, or show another value: hidden values are left out. */
  | { readonly type: 'data'; readonly version: Version; readonly paths: readonly string[] }
  /** The addresses whose mapping changed. */
  | { readonly type: 'mapping'; readonly version: Version; readonly hosts: readonly string[] }
  /** The addresses whose rules changed. */
  | { readonly type: 'rules'; readonly version: Version; readonly hosts: readonly string[] }
  /** The whole state was replaced by a snapshot: nothing is known of what changed since. */
  | { readonly type: 'reset'; readonly version: Version };

/** What one applied batch tells the readers of the same node, in log order. */
export interface AppliedBatch {
  readonly applied: LogId;
  readonly version: Version;
  readonly changes: readonly Change[];
  /** Where the state is from now on, when a snapshot was installed: every StateDatabase has to be opened there again. */
  readonly stateFile?: string;
}
