import { type AccessRule, isAtOrBelow, ROOT, segmentsOf } from '@metad/kv-store';

/** What a rule, or the target of a mapping, says of its path and of all below it. */
export interface Ruling {
  readonly allows: boolean;
  /** As it was given. */
  readonly path: string;
  /** Its place in the list that the access was made of. */
  readonly index: number;
}

interface RuleNode {
  readonly exact: Map<string, RuleNode>;
  wildcard: RuleNode | null;
  ruling: Ruling | null;
}

/** More places than this in one listing are treated as one: the path that was asked for. */
const MAX_OPENINGS = 32;

/**
 * The access rules of one client, compiled into a tree of names.
 *
 * For a path, the rules that match it or one of its parents are compared level by level: at the first level where two
 * differ an exact name beats `*`; if there is no such level, the longer one wins. Without any rule it is forbidden.
 */
export class Access {
  readonly #root: RuleNode = createNode();

  /** In a rule a segment `*` stands for exactly one name. */
  static ofRules(rules: readonly AccessRule[]): Access {
    const access = new Access();
    for (const [index, { path, mode }] of rules.entries()) {
      access.#add({ path, allows: mode === 1, index }, '*');
    }
    return access;
  }

  /** Opens what the targets of a mapping name. A target is no pattern: `*` in it is a name like any other. */
  static ofTargets(targets: readonly string[]): Access {
    const access = new Access();
    for (const [index, path] of targets.entries()) access.#add({ path, allows: true, index }, null);
    return access;
  }

  /** Whether the leaf at a canonical path may be read. */
  allows(path: string): boolean {
    return this.ruling(path)?.allows ?? false;
  }

  /** What decides about the leaf at a canonical path; null: nothing does, so it is forbidden. */
  ruling(path: string): Ruling | null {
    return winner(this.#root, segmentsOf(path), 0);
  }

  /** True or false when everything at and below `path` has this one answer; null when it depends on the leaf. */
  allowsAllBelow(path: string): boolean | null {
    const segments = segmentsOf(path);
    return hasRulesBelow(this.#root, segments, 0) ? null : (winner(this.#root, segments, 0)?.allows ?? false);
  }

  /**
   * Paths such that every leaf at or below `path` that may be read lies at or below one of them; none lies below
   * another. Empty when there can be none. They say where to look, not what may be seen.
   */
  openings(path: string): readonly string[] {
    if (this.allows(path)) return [path];
    const found = new Set<string>();
    collectOpenings(this.#root, ROOT, found);
    const within = new Set<string>();
    for (const opening of found) {
      if (isAtOrBelow(opening, path)) within.add(opening);
      else if (isAtOrBelow(path, opening)) within.add(path);
    }
    return within.size > MAX_OPENINGS || within.has(path) ? [path] : [...within];
  }

  #add(ruling: Ruling, wildcard: string | null): void {
    let node = this.#root;
    for (const segment of segmentsOf(ruling.path)) {
      if (segment === wildcard) {
        node.wildcard ??= createNode();
        node = node.wildcard;
      } else {
        node = childOf(node, segment);
      }
    }
    node.ruling = ruling;
  }
}

function createNode(): RuleNode {
  return { exact: new Map(), wildcard: null, ruling: null };
}

function childOf(node: RuleNode, name: string): RuleNode {
  let child = node.exact.get(name);
  if (child === undefined) {
    child = createNode();
    node.exact.set(name, child);
  }
  return child;
}

/** The rule that wins at or below `node`; null when none matches. */
function winner(node: RuleNode, segments: readonly string[], depth: number): Ruling | null {
  const segment = segments[depth];
  if (segment === undefined) return node.ruling;
  const exact = node.exact.get(segment);
  // A rule by way of the exact name beats every one by way of the wildcard, however long that is.
  const byName = exact === undefined ? null : winner(exact, segments, depth + 1);
  if (byName !== null) return byName;
  const byPattern = node.wildcard === null ? null : winner(node.wildcard, segments, depth + 1);
  return byPattern ?? node.ruling;
}

function hasRulesBelow(node: RuleNode, segments: readonly string[], depth: number): boolean {
  const segment = segments[depth];
  if (segment === undefined) return node.exact.size > 0 || node.wildcard !== null;
  const exact = node.exact.get(segment);
  if (exact !== undefined && hasRulesBelow(exact, segments, depth + 1)) return true;
  return node.wildcard !== null && hasRulesBelow(node.wildcard, segments, depth + 1);
}

/** The paths of the rules that allow, each cut off before its first wildcard. */
function collectOpenings(node: RuleNode, path: string, found: Set<string>): void {
  if (node.ruling?.allows || (node.wildcard !== null && allowsSomewhere(node.wildcard))) {
    found.add(path);
    return;
  }
  for (const [name, child] of node.exact) {
    collectOpenings(child, path === ROOT ? `/${name}` : `${path}/${name}`, found);
  }
}

function allowsSomewhere(node: RuleNode): boolean {
  if (node.ruling?.allows || (node.wildcard !== null && allowsSomewhere(node.wildcard))) return true;
  for (const child of node.exact.values()) {
    if (allowsSomewhere(child)) return true;
  }
  return false;
}
