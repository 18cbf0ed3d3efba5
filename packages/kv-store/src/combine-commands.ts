import { unreachable } from '@metad/raft-core';
import type { ContentCommand, Leaf, TreeName } from './command.ts';
import { parentOf } from './path.ts';

export type TreeCommand = Extract<ContentCommand, { readonly tree: TreeName }>;

/** What commands make of a tree, as two steps: what goes, then what is set. */
export interface Outcome {
  /** Nothing at or below these is left, but for what is set. */
  readonly cleared: readonly string[];
  /** The own values of these are removed, but for what is set. */
  readonly removed: readonly string[];
  /** Each path once. */
  readonly leaves: readonly Leaf[];
}

/**
 * What commands that follow each other make of a tree. Looks at no rows, so what one of them does and another undoes can
 * be compared with the rows as if neither had been.
 */
export function combineCommands(commands: readonly TreeCommand[]): Outcome {
  const [only] = commands;
  if (commands.length === 1 && only !== undefined) return outcomeOf(only);
  const cleared = new Map<string, number>();
  const removed = new Set<string>();
  const leaves = new Map<string, { readonly value: string; readonly setBy: number }>();
  for (const [index, command] of commands.entries()) {
    const outcome = outcomeOf(command);
    for (const path of outcome.cleared) cleared.set(path, index);
    for (const path of outcome.removed) {
      removed.add(path);
      leaves.delete(path);
    }
    for (const [path, value] of outcome.leaves) leaves.set(path, { value, setBy: index });
  }
  /** Whether a command after that one clears the path, or one above it. */
  const isCleared = (path: string | null, after: number) => {
    for (let at = path; at !== null; at = parentOf(at)) if ((cleared.get(at) ?? -1) > after) return true;
    return false;
  };
  return {
    cleared: [...cleared.keys()].filter((path) => !isCleared(parentOf(path), -1)),
    removed: [...removed],
    leaves: [...leaves]
      .filter(([path, { setBy }]) => !isCleared(path, setBy))
      .map(([path, { value }]) => [path, value]),
  };
}

function outcomeOf(command: TreeCommand): Outcome {
  switch (command.type) {
    case 'merge':
      return { cleared: [], removed: [], leaves: eachOnce(command.leaves) };
    case 'replace':
      return { cleared: [command.path], removed: [], leaves: eachOnce(command.leaves) };
    case 'delete':
      return { cleared: command.paths, removed: [], leaves: [] };
    case 'deleteValue':
      return { cleared: [], removed: [command.path], leaves: [] };
    default:
      return unreachable(command);
  }
}

/** Of a path that is named twice the last value counts. */
function eachOnce(leaves: readonly Leaf[]): readonly Leaf[] {
  return leaves.length < 2 ? leaves : [...new Map(leaves)];
}
