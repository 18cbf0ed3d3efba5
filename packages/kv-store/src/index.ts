export type { AppliedBatch, Change } from './change.ts';
export type { AccessMode, AccessRule, Command, Leaf, TreeName } from './command.ts';
export { canonicalPath, isAtOrBelow, joinPath, parentOf, ROOT, segmentsOf } from './path.ts';
export { type Version, version } from './version.ts';
