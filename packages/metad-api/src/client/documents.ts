import type { AccessRule } from './rules.ts';
import { isRule } from './rules.ts';

/** What stood at one place before a change and after it; null: nothing. `after` is left out where it is not known. */
export type Change =
  | {
      readonly kind: 'data' | 'mapping';
      readonly path: string;
      readonly before: string | null;
      readonly after?: string | null;
    }
  | {
      readonly kind: 'rule';
      /** The client's address. */
      readonly path: string;
      readonly before: readonly AccessRule[] | null;
      readonly after?: readonly AccessRule[] | null;
    };

export interface HistoryEntry {
  readonly version: number;
  /** ISO 8601, by the clock of the leader. */
  readonly time: string;
  readonly author: string;
  /** Null: too much was changed to be kept. */
  readonly changed: readonly Change[] | null;
}

export interface HistoryPage {
  /** Changes after this version are known. */
  readonly from: number;
  /** Newest first. */
  readonly changes: readonly HistoryEntry[];
  /** `before` of the next page; null: this is the last one. */
  readonly next: number | null;
}

export interface Diff {
  readonly from: number;
  readonly to: number;
  readonly changes: readonly Change[];
  /** Whether there are more than were listed. */
  readonly truncated: boolean;
}

/** One place of the data that a path of the metadata API shows, by itself or through the mapping. */
export interface ExplainedBranch {
  /** Where the client finds it. */
  readonly path: string;
  /** Where it is in the data. */
  readonly data: string;
  /** The key of the mapping that leads there, and where it leads. */
  readonly key?: string;
  readonly target?: string;
  readonly leaves: readonly ExplainedLeaf[];
}

export interface ExplainedLeaf {
  readonly path: string;
  readonly data: string;
  readonly visible: boolean;
  /** The rule that decided; `index` is its place in the client's list. */
  readonly rule?: AccessRule & { readonly index: number };
  /** The target of the mapping that opens it to a client without rules. */
  readonly target?: { readonly key: string; readonly path: string };
  /** In words, where it is neither. */
  readonly reason?: string;
}

/** What a client sees at a path, and why. */
export interface Explanation {
  readonly version: number;
  readonly ip: string;
  readonly path: string;
  /** How many rules the client has; null: none were ever set, or they were deleted. */
  readonly rules: number | null;
  /** How many keys its mapping has; null: it has none. */
  readonly mapping: number | null;
  readonly branches: readonly ExplainedBranch[];
  readonly truncated: boolean;
  readonly answer: { readonly status: number; readonly document: unknown; readonly truncated: boolean };
}

/** A page of the leaves of a tree. */
export interface LeafPage {
  readonly leaves: Readonly<Record<string, string>>;
  readonly cursor: string | null;
}

export function isHistoryPage(document: unknown): document is HistoryPage {
  return (
    isRecord(document) &&
    isVersion(document.from) &&
    isList(document.changes, isHistoryEntry) &&
    (document.next === null || isVersion(document.next))
  );
}

export function isDiff(document: unknown): document is Diff {
  return (
    isRecord(document) &&
    isVersion(document.from) &&
    isVersion(document.to) &&
    isList(document.changes, isChange) &&
    typeof document.truncated === 'boolean'
  );
}

export function isExplanation(document: unknown): document is Explanation {
  return (
    isRecord(document) &&
    isVersion(document.version) &&
    typeof document.ip === 'string' &&
    typeof document.path === 'string' &&
    isCount(document.rules) &&
    isCount(document.mapping) &&
    isList(document.branches, isBranch) &&
    typeof document.truncated === 'boolean' &&
    isRecord(document.answer) &&
    typeof document.answer.status === 'number' &&
    typeof document.answer.truncated === 'boolean'
  );
}

export function isLeafPage(document: unknown): document is LeafPage {
  return (
    isRecord(document) &&
    isRecord(document.leaves) &&
    Object.values(document.leaves).every((value) => typeof value === 'string') &&
    isText(document.cursor)
  );
}

function isHistoryEntry(entry: unknown): entry is HistoryEntry {
  return (
    isRecord(entry) &&
    isVersion(entry.version) &&
    typeof entry.time === 'string' &&
    typeof entry.author === 'string' &&
    (entry.changed === null || isList(entry.changed, isChange))
  );
}

function isChange(change: unknown): change is Change {
  if (!isRecord(change) || typeof change.path !== 'string') return false;
  const isContent = change.kind === 'rule' ? isRules : isText;
  const isKind = change.kind === 'data' || change.kind === 'mapping' || change.kind === 'rule';
  return isKind && isContent(change.before) && (change.after === undefined || isContent(change.after));
}

function isBranch(branch: unknown): branch is ExplainedBranch {
  return (
    isRecord(branch) &&
    typeof branch.path === 'string' &&
    typeof branch.data === 'string' &&
    isOptional(branch.key, isText) &&
    isOptional(branch.target, isText) &&
    isList(branch.leaves, isExplainedLeaf)
  );
}

function isExplainedLeaf(leaf: unknown): leaf is ExplainedLeaf {
  return (
    isRecord(leaf) &&
    typeof leaf.path === 'string' &&
    typeof leaf.data === 'string' &&
    typeof leaf.visible === 'boolean' &&
    isOptional(leaf.rule, isRule) &&
    isOptional(leaf.target, isRecord) &&
    isOptional(leaf.reason, isText)
  );
}

function isRecord(document: unknown): document is Readonly<Record<string, unknown>> {
  return typeof document === 'object' && document !== null && !Array.isArray(document);
}

function isList<T>(document: unknown, isItem: (item: unknown) => item is T): document is readonly T[] {
  return Array.isArray(document) && document.every(isItem);
}

function isOptional(document: unknown, isGiven: (document: unknown) => boolean): boolean {
  return document === undefined || isGiven(document);
}

function isRules(document: unknown): boolean {
  return document === null || isList(document, isRule);
}

function isText(document: unknown): boolean {
  return document === null || typeof document === 'string';
}

function isVersion(document: unknown): document is number {
  return typeof document === 'number' && Number.isSafeInteger(document) && document >= 0;
}

function isCount(document: unknown): boolean {
  return document === null || typeof document === 'number';
}
